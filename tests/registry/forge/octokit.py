"""GitHub's own published descriptions, fetched by npm into a folder outside the repository.

    python octokit.py      # fetch them now

They are data for tests only: nothing of them is kept in git, and without npm these tests skip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILES = {
    "openapi.json": ("@octokit/openapi@23.0.2", "package/generated/api.github.com.json"),
    "examples.json": (
        "@octokit/webhooks-examples@7.6.1",
        "package/api.github.com/index.json",
    ),
}


def folder() -> Path:
    return Path(tempfile.gettempdir()) / f"dougong-octokit-{os.getuid()}"


def fetch(name: str) -> Path:
    """Return the path of one file, fetched if it is not there.

    Raises:
        OSError: npm is not here, or cannot fetch it.
    """
    place = folder() / name
    if place.is_file():
        return place
    package, member = FILES[name]
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("there is no npm")
    folder().mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        done = subprocess.run(
            [npm, "pack", "--silent", "--pack-destination", scratch, package],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        packed = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not packed:
            raise OSError(f"npm cannot fetch {package}: {done.stderr[-300:]}")
        with tarfile.open(packed[0]) as tar:
            source = tar.extractfile(member)
            assert source is not None
            fresh = Path(scratch) / name
            fresh.write_bytes(source.read())
        fresh.replace(place)
    return place


@cache
def load(name: str) -> Any:
    return json.loads(fetch(name).read_text())


def needed(name: str) -> Any:
    """Return a file's content; skip the test where it cannot be had."""
    try:
        return load(name)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"GitHub's published {name} is fetched by npm: {error}")


if __name__ == "__main__":
    for each in FILES:
        print(fetch(each))
