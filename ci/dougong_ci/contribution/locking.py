"""Writing `dependencies.txt`: what a plugin needs beyond what the judge has, by hash."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dougong_ci.contribution.reading import ContributionError
from dougong_ci.judge.dependencies import Pin, parse

_OWN = ("dougong", "torch", "triton")
"""What comes with the judge, or with torch where there is a GPU: in its version or not at all."""
_HEADER = """\
# What it needs besides dougong and torch, for the judge's sandbox, which has no network. Written by
# `python -m dougong_ci.contribution lock .` from the dependencies in pyproject.toml.
"""


def lock(folder: Path) -> list[Pin]:
    """Resolve the dependencies of a project against this environment and write its list.

    What is installed here already is not listed. Nothing is installed, and only wheels are chosen.

    Raises:
        ContributionError: there is no project, or pip finds no wheels that fit together.
    """
    try:
        text = (folder / "pyproject.toml").read_text("utf-8")
    except OSError as error:
        raise ContributionError(f"{folder} has no pyproject.toml that can be read") from error
    asked = tomllib.loads(text).get("project", {}).get("dependencies", [])
    wanted = [each for each in asked if canonicalize_name(Requirement(each).name) not in _OWN]
    pins = _resolved(wanted) if wanted else []
    lines = "".join(f"{pin}\n" for pin in sorted(pins, key=lambda pin: canonicalize_name(pin.name)))
    parse(lines)
    (folder / "dependencies.txt").write_text(_HEADER + lines, "utf-8")
    return pins


def _resolved(requirements: list[str]) -> list[Pin]:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
    options = ["--no-input", "--disable-pip-version-check", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, *options, *requirements], capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = words[-1] if words else f"exit {done.returncode}"
        raise ContributionError(f"pip cannot resolve {', '.join(requirements)}: {reason}")
    found = json.loads(done.stdout)["install"]
    return [_pin(each) for each in found if canonicalize_name(each["metadata"]["name"]) not in _OWN]


def _pin(item: dict[str, dict[str, object]]) -> Pin:
    name, version = str(item["metadata"]["name"]), str(item["metadata"]["version"])
    archive = item["download_info"].get("archive_info")
    hashes = archive.get("hashes", {}) if isinstance(archive, dict) else {}
    if "sha256" not in hashes:
        raise ContributionError(f"{name}=={version} comes without a sha256 from where pip looks")
    return Pin(name, version, (str(hashes["sha256"]),))
