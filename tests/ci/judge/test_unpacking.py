from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from dougong_ci.judge import unpacking
from dougong_ci.judge.unpacking import SubmissionError


def wheel(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_what_could_shadow_the_judge_is_laid_out_and_nothing_more(tmp_path: Path):
    """Inside, what is judged comes last on the path; see the module path of `sandbox.command`."""
    files = {"torch.py": "1", "dougong/__init__.py": "2", "json/__init__.py": "3"}
    unpacking.unzip(wheel(tmp_path, files), tmp_path / "out")
    found = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.py")}
    assert found == set(files)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x.pth", "when Python starts"),
        ("sitecustomize.py", "when Python starts"),
        ("usercustomize/__init__.py", "when Python starts"),
        ("x-1.0.data/purelib/y.py", r"leave out \.data"),
        ("/".join("d" * 40), "unsafe path"),
        ("a\nb", "unsafe path"),
    ],
)
def test_names_that_act_elsewhere_are_refused_in_wheels_and_folders(
    tmp_path: Path, name: str, rule: str
):
    with pytest.raises(SubmissionError, match=rule):
        unpacking.unzip(wheel(tmp_path, {name: ""}), tmp_path / "out")
    (tmp_path / "in" / name).parent.mkdir(parents=True)
    (tmp_path / "in" / name).write_text("")
    with pytest.raises(SubmissionError, match=rule):
        unpacking.copy_tree(tmp_path / "in", tmp_path / "copy")


def test_two_names_that_one_file_system_holds_for_one_are_refused(tmp_path: Path):
    composed, decomposed = "\u00e9.py", "e\u0301.py"
    for pair in ({"A.py": "", "a.py": ""}, {composed: "", decomposed: ""}):
        with pytest.raises(SubmissionError, match="two files of one name"):
            unpacking.unzip(wheel(tmp_path, pair), tmp_path / f"out{len(list(tmp_path.iterdir()))}")


def test_files_and_bytes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    many = wheel(tmp_path, {"a": "x", "b": "x", "c": "x"})
    monkeypatch.setattr(unpacking, "MAX_FILES", 2)
    with pytest.raises(SubmissionError, match="may hold 2 files"):
        unpacking.unzip(many, tmp_path / "out")
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / name).write_text("x")
    with pytest.raises(SubmissionError, match="may hold 2 files"):
        unpacking.copy_tree(tmp_path / "in", tmp_path / "copy")


def test_compiled_python_of_a_folder_is_left_behind(tmp_path: Path):
    (tmp_path / "in" / "__pycache__").mkdir(parents=True)
    for name in ("a.py", "b.pyc", "__pycache__/a.pyc"):
        (tmp_path / "in" / name).write_text("")
    unpacking.copy_tree(tmp_path / "in", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").rglob("*")] == ["a.py"]


def test_what_may_be_run_may_be_run_afterwards_as_with_pip(tmp_path: Path):
    packed = tmp_path / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode in (("a/tool", 0o100755), ("a/data", 0o100644), ("a/odd", 0)):
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, "#!/bin/sh\n")
    unpacking.unzip(packed, tmp_path / "from-wheel")
    unpacking.copy_tree(tmp_path / "from-wheel", tmp_path / "from-folder")
    for folder in ("from-wheel", "from-folder"):
        runs = {path.name: os.access(path, os.X_OK) for path in tmp_path.glob(f"{folder}/a/*")}
        assert runs == {"tool": True, "data": False, "odd": False}
