"""The README's tree equals the disk; settings are documented; files keep to sizes and names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for part in ("core", "plugins", "kernels", "registry", "ci")
    for path in (ROOT / part).rglob("*.py")
    if "migrations" not in path.parts
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_readme_tree_equals_the_disk() -> None:
    printed = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "tree.py")], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() in (ROOT / "README.md").read_text(), "run: python docs/tree.py --write"


def test_every_environment_setting_is_documented_and_every_documented_one_exists() -> None:
    read = {
        name
        for path in SOURCES
        for name in re.findall(r"\bDOUGONG_[A-Z_]+\b", path.read_text())
        if not name.endswith("_")
    }
    page = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"`(DOUGONG_[A-Z_]+)`", page))
    assert read == documented - {"DOUGONG_TEST_POSTGRES_URL", "DOUGONG_FAULTS"}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_is_no_longer_than_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_modules_are_named_for_the_thing_in_them() -> None:
    banned = {"utils", "util", "helpers", "common", "misc", "tools"}
    assert [relative(path) for path in SOURCES if path.stem in banned] == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        relative(path)
        for path in SOURCES
        if path.read_text().strip() and not re.match(r'\s*r?"""', path.read_text())
    ]
    assert silent == []


def test_the_web_process_never_loads_torch_the_core_or_the_client_of_a_forge() -> None:
    code = (
        "import django, sys; django.setup(); import dougong_registry.urls; "
        "bad = {'torch', 'dougong', 'dougong_plugins', 'githubkit', 'pydantic', 'jwt'} "
        "& set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "dougong_registry.settings", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
