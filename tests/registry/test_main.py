"""The hub's own command, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "run `dougong-hub migrate` first"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_a_database_that_is_not_ready_is_one_line(tmp_path, url, said):
    environ = {**os.environ, "DOUGONG_HOME": str(tmp_path), "DOUGONG_DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "dougong_registry", "token_create", "--login", "ada"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
