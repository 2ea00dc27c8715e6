"""What a wheel lists as needed: read strictly, fetched by hash, and never in the judge's way."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from dougong_ci.judge import PROFILES, JudgeRequest, dependencies, judge
from dougong_ci.judge.source import opened
from dougong_ci.judge.unpacking import SubmissionError, file_digest
from dougong_ci.report.verdict import Outcome
from dougong_ci.sandbox import Mounts
from dougong_ci.sandbox.command import module_path

HASH = "0" * 64
PLUGIN = """
import dougong

@dougong.hookimpl
def dougong_register_activation():
    return [dougong.Operator(name="trial/leaning", contract="activation.squared_relu@1",
                             target="leaning:squared_relu", requires=("crutch>=1",))]
"""
TARGET = "import crutch\n\ndef squared_relu(x):\n    return crutch.clamp(x).square()\n"
CRUTCH = "def clamp(x):\n    return x.clamp_min(0)\n"


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Write a wheel that pip takes, RECORD and all."""
    info = f"{name}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in files.items()
        for digest in [hashlib.sha256(text.encode()).digest()]
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", f"{''.join(rows)}{info}/RECORD,,\n")
    return path


def leaning(folder: Path, text: str) -> Path:
    """A plugin whose operator imports what the list has."""
    info = "leaning-1.0.dist-info"
    return wheel(
        folder,
        "leaning",
        {
            "leaning_plugin.py": PLUGIN,
            "leaning.py": TARGET,
            f"{info}/entry_points.txt": "[dougong]\nleaning = leaning_plugin\n",
            f"{info}/extra_metadata/dependencies.txt": text,
        },
    )


@pytest.fixture
def crutch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in the only place where pip looks, and a state folder of the test's own."""
    index = tmp_path / "index"
    made = wheel(
        index,
        "crutch",
        {"crutch.py": CRUTCH, "crutch.pth": "import os", "crutch-1.0.data/scripts/run": "#!"},
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "home"))
    return made


def pinned(path: Path) -> str:
    return f"# by hash\n\ncrutch==1.0 --hash=sha256:{file_digest(path)}\n"


def test_an_operator_is_judged_with_what_it_needs(tmp_path, crutch):
    path = leaning(tmp_path, pinned(crutch))
    (verdict,) = judge(JudgeRequest(path=path, profile=PROFILES["accuracy"]))
    outcomes = {gate.name: gate.outcome for gate in verdict.gates}
    for gate in ("build", "contract", "accuracy", "edges", "determinism"):
        assert outcomes[gate] is Outcome.PASSED, verdict.summary


def test_without_its_list_it_is_unavailable_and_says_what_is_missing(tmp_path, crutch):
    (verdict,) = judge(JudgeRequest(path=leaning(tmp_path, ""), profile=PROFILES["accuracy"]))
    assert verdict.outcome is not Outcome.PASSED
    assert "crutch" in verdict.summary


def test_it_lies_apart_and_last_without_what_acts_elsewhere(tmp_path, crutch):
    request = JudgeRequest(path=leaning(tmp_path, pinned(crutch)))
    with opened(request) as (source,):
        (folder,) = source.extra
        assert {path.name for path in folder.iterdir()} == {"crutch.py", "crutch-1.0.dist-info"}
        path = module_path(Mounts(plugin=source.folder, extra=source.extra))
        assert path[-2:] == [str(folder), str(source.folder)]
    assert not folder.exists()


def test_a_wheel_is_fetched_once_and_hashed_every_time(tmp_path, crutch, monkeypatch):
    request = JudgeRequest(path=leaning(tmp_path, pinned(crutch)))
    with opened(request):
        pass
    digest = file_digest(crutch)
    crutch.unlink()
    with opened(request):
        pass  # from the store: there is nothing left to download
    kept = tmp_path / "home" / "dependencies" / f"{digest}.whl"
    kept.write_bytes(kept.read_bytes() + b" ")
    with pytest.raises(SubmissionError, match="cannot be fetched"), opened(request):
        pass


def test_other_bytes_under_the_name_are_refused(tmp_path, crutch):
    request = JudgeRequest(path=leaning(tmp_path, f"crutch==1.0 --hash=sha256:{HASH}\n"))
    with pytest.raises(SubmissionError, match="cannot be fetched"), opened(request):
        pass
    assert not list((tmp_path / "home" / "dependencies").glob("*.whl"))


def test_another_version_than_the_judges_own_is_refused(tmp_path):
    path = leaning(tmp_path, f"pluggy==0.1 --hash=sha256:{HASH}\n")
    with pytest.raises(SubmissionError, match="beside the judge"), opened(JudgeRequest(path=path)):
        pass


def test_the_judges_own_version_is_used_from_where_it_is(tmp_path):
    from importlib.metadata import version

    path = leaning(tmp_path, f"pluggy=={version('pluggy')} --hash=sha256:{HASH}\n")
    with opened(JudgeRequest(path=path)) as (source,):
        assert source.extra == ()


@pytest.mark.parametrize(
    "line",
    [
        "crutch==1.0",
        "crutch>=1.0 --hash=sha256:" + HASH,
        "--index-url https://elsewhere.example/simple",
        "-r /etc/passwd",
        "crutch @ file:///etc/passwd --hash=sha256:" + HASH,
        "git+https://elsewhere.example/crutch",
        "./crutch --hash=sha256:" + HASH,
        f"crutch==1.0 --hash=sha256:{HASH} --no-binary :all:",
        f"crutch==1.0 --hash=sha256:{HASH}; python_version > '3'",
        f"crutch==1.0 --hash=md5:{HASH}",
        f"crutch==1.0\x0b--hash=sha256:{HASH}",
        f"${{HOME}}==1.0 --hash=sha256:{HASH}",
    ],
)
def test_a_line_that_is_no_pin_is_refused(line: str):
    with pytest.raises(SubmissionError, match="must be name==version"):
        dependencies.parse(line)


def test_a_name_twice_or_too_many_are_refused():
    pin = f"--hash=sha256:{HASH}"
    with pytest.raises(SubmissionError, match="is there already"):
        dependencies.parse(f"some-thing==1.0 {pin}\nSome_Thing==1.0 {pin}\n")
    many = "".join(f"thing-{i}==1.0 {pin}\n" for i in range(dependencies.MOST + 1))
    with pytest.raises(SubmissionError, match="may list 64"):
        dependencies.parse(many)
