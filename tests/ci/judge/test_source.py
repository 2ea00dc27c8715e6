from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from dougong_ci.judge import source, unpacking
from dougong_ci.judge.request import JudgeRequest
from dougong_ci.judge.source import SubmissionError

METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"


def wheel(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_wheel_is_unpacked_named_by_its_bytes_and_gone_afterwards(tmp_path: Path):
    path = wheel(tmp_path, {"tiny.py": "x = 1", "tiny-1.0.dist-info/METADATA": METADATA})
    with source.opened(JudgeRequest(path=path)) as (found,):
        assert (found.distribution, found.version) == ("tiny", "1.0")
        assert found.sha256 == source.file_digest(path)
        assert found.folder is not None
        assert (found.folder / "tiny.py").read_text() == "x = 1"
    assert not found.folder.exists()


def test_what_a_wheel_marks_as_a_program_can_be_run_and_nothing_else(tmp_path: Path):
    path = wheel(tmp_path, {"tiny.py": "x = 1", "tiny-1.0.dist-info/METADATA": METADATA})
    with zipfile.ZipFile(path, "a") as archive:
        tool = zipfile.ZipInfo("bin/tool")
        tool.external_attr = 0o100755 << 16
        archive.writestr(tool, "#!/bin/sh\n")
    with source.opened(JudgeRequest(path=path)) as (found,):
        assert found.folder is not None
        files = [file for file in found.folder.rglob("*") if file.is_file()]
        assert [file.name for file in files if file.stat().st_mode & 0o111] == ["tool"]


@pytest.mark.parametrize("name", ["../out.py", "/abs.py", "a/../../out.py", "a\\..\\out.py"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str):
    path = wheel(tmp_path, {name: "x"})
    with (
        pytest.raises(SubmissionError, match="unsafe path"),
        source.opened(JudgeRequest(path=path)),
    ):
        pass
    assert not (tmp_path / "out.py").exists()


def test_a_link_is_refused(tmp_path: Path):
    path = tmp_path / "link.whl"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(SubmissionError, match="links"), source.opened(JudgeRequest(path=path)):
        pass


def test_a_bomb_is_refused_by_what_comes_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1 << 20)
    path = wheel(tmp_path, {"bomb": "0" * (4 << 20)})
    with (
        pytest.raises(SubmissionError, match="may unpack to 1 MiB"),
        source.opened(JudgeRequest(path=path)),
    ):
        pass


def test_what_is_no_wheel_or_another_distribution_is_refused(tmp_path: Path):
    junk = tmp_path / "junk.whl"
    junk.write_text("no zip")
    with (
        pytest.raises(SubmissionError, match="not a readable wheel"),
        source.opened(JudgeRequest(path=junk)),
    ):
        pass
    path = wheel(tmp_path, {"tiny-1.0.dist-info/METADATA": METADATA})
    with (
        pytest.raises(SubmissionError, match="distribution must be other"),
        source.opened(JudgeRequest(path=path, distribution="other")),
    ):
        pass


def test_an_unknown_name_is_refused_with_what_is_installed():
    with pytest.raises(SubmissionError, match="dougong-plugins"):
        source.installed(("no-such-plugin",))


def test_a_request_is_of_a_path_or_of_names():
    with pytest.raises(ValueError, match="exactly one"):
        JudgeRequest()
