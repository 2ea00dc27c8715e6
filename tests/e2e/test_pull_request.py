"""A stranger's first pull request, from `dougong new` to their credit, with real parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.alone,
    pytest.mark.timeout(700),
    pytest.mark.skipif(
        os.environ.get("DOUGONG_FAULTS") != "whole",
        reason="a hub judges for minutes on an idle machine: DOUGONG_FAULTS=whole",
    ),
]


def test_a_stranger_gets_in_and_is_credited(tmp_path):
    page = tmp_path / "page.md"
    command = [sys.executable, ROOT / "benchmarks" / "first_pull_request.py", "--transcript", page]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # It ends with 1 too where it was right and slow; a page is written only where it was right.
    assert page.is_file(), done.stdout + done.stderr
    text = page.read_text("utf-8")
    assert "Ada is credited with L2" in text
    assert str(Path.home()) not in text
