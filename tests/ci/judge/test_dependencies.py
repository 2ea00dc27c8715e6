"""What a wheel lists as needed: read strictly, fetched by hash, and never in the judge's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dougong_ci.judge import PROFILES, JudgeRequest, dependencies, judge
from dougong_ci.judge.source import opened
from dougong_ci.judge.unpacking import SubmissionError, file_digest
from dougong_ci.report.verdict import Outcome
from dougong_ci.sandbox import Mounts
from dougong_ci.sandbox.command import judged_path, trusted_path

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


@pytest.fixture
def leaning(tmp_path: Path, whole_wheel) -> Callable[[str], Path]:
    """A plugin whose operator imports what its list has."""
    info = "leaning-1.0.dist-info"

    def made(text: str) -> Path:
        files = {
            "leaning_plugin.py": PLUGIN,
            "leaning.py": TARGET,
            f"{info}/entry_points.txt": "[dougong]\nleaning = leaning_plugin\n",
            f"{info}/extra_metadata/dependencies.txt": text,
        }
        return whole_wheel(tmp_path, "leaning", files)

    return made


@pytest.fixture
def crutch(tmp_path: Path, whole_wheel, only_index) -> Path:
    """A wheel in the only place where pip looks."""
    files = {"crutch.py": CRUTCH, "crutch.pth": "import os", "crutch-1.0.data/scripts/run": "#!"}
    return whole_wheel(only_index, "crutch", files)


def pinned(path: Path) -> str:
    return f"# by hash\n\ncrutch==1.0 --hash=sha256:{file_digest(path)}\n"


def test_an_operator_is_judged_with_what_it_needs(leaning, crutch):
    path = leaning(pinned(crutch))
    (verdict,) = judge(JudgeRequest(path=path, profile=PROFILES["accuracy"]))
    outcomes = {gate.name: gate.outcome for gate in verdict.gates}
    for gate in ("build", "contract", "accuracy", "edges", "determinism"):
        assert outcomes[gate] is Outcome.PASSED, verdict.summary


def test_it_lies_apart_and_last_without_what_acts_elsewhere(leaning, crutch):
    request = JudgeRequest(path=leaning(pinned(crutch)))
    with opened(request) as (source,):
        (folder,) = source.extra
        assert {path.name for path in folder.iterdir()} == {"crutch.py", "crutch-1.0.dist-info"}
        path = judged_path(Mounts(plugin=source.folder, extra=source.extra))
        assert path == [str(folder), str(source.folder)]
        assert not set(path) & set(trusted_path())
    assert not folder.exists()


def test_a_wheel_is_fetched_once_and_hashed_every_time(leaning, crutch, only_index):
    request = JudgeRequest(path=leaning(pinned(crutch)))
    with opened(request):
        pass
    digest = file_digest(crutch)
    crutch.unlink()
    with opened(request):
        pass  # from the store: there is nothing left to download
    kept = only_index.parent / "home" / "dependencies" / f"{digest}.whl"
    kept.write_bytes(kept.read_bytes() + b" ")
    with pytest.raises(SubmissionError, match="cannot be fetched"), opened(request):
        pass


def test_other_bytes_under_the_name_are_refused(leaning, crutch, only_index):
    request = JudgeRequest(path=leaning(f"crutch==1.0 --hash=sha256:{HASH}\n"))
    with pytest.raises(SubmissionError, match="cannot be fetched"), opened(request):
        pass
    assert not list((only_index.parent / "home" / "dependencies").glob("*.whl"))


def test_another_version_than_the_judges_own_is_refused(leaning):
    path = leaning(f"pluggy==0.1 --hash=sha256:{HASH}\n")
    with pytest.raises(SubmissionError, match="beside the judge"), opened(JudgeRequest(path=path)):
        pass


def test_the_judges_own_version_is_used_from_where_it_is(leaning):
    from importlib.metadata import version

    path = leaning(f"pluggy=={version('pluggy')} --hash=sha256:{HASH}\n")
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
