"""`dependencies.txt` from pyproject.toml: what pip resolves beyond what is here, by hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from dougong import scaffold
from dougong_ci.contribution import ContributionError
from dougong_ci.contribution.locking import lock
from dougong_ci.judge.unpacking import file_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scaffold.create("norm", "demo", provider="acme", directory=tmp_path / "demo")


def ask(folder: Path, requirement: str) -> None:
    path = folder / "pyproject.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"torch>=2.6"]', f'"torch>=2.6", "{requirement}"]'), "utf-8")


def test_what_is_not_here_is_listed_and_nothing_else(folder, whole_wheel, only_index):
    crutch = whole_wheel(only_index, "crutch", {"crutch.py": ""})
    ask(folder, "crutch>=1,<2")
    ask(folder, "pluggy>=1")
    (pin,) = lock(folder)
    assert str(pin) == f"crutch==1.0 --hash=sha256:{file_digest(crutch)}"
    lines = (folder / "dependencies.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [str(pin)]


def test_a_plugin_that_needs_only_torch_lists_nothing(folder, only_index):
    assert lock(folder) == []


def test_what_cannot_be_resolved_says_so(folder, only_index):
    only_index.mkdir()
    ask(folder, "crutch>=1,<2")
    with pytest.raises(ContributionError, match="cannot resolve crutch"):
        lock(folder)
