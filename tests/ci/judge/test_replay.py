from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from dougong_ci.judge import JudgeRequest, judge
from dougong_ci.judge.replay import Replay, ReplayError, replay
from dougong_ci.report.verdict import Verdict, from_json

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(candidates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    made = shutil.make_archive(str(folder / "trial-1-py3-none-any"), "zip", candidates)
    return Path(made).rename(folder / "trial-1-py3-none-any.whl")


@pytest.fixture(scope="module")
def stored(wheel: Path, fast_profile) -> Verdict:
    """A verdict as it is stored: written as JSON and read back."""
    request = JudgeRequest(path=wheel, operators=("trial/honest",), profile=fast_profile)
    (verdict,) = judge(request)
    return from_json(verdict.to_json())


@pytest.fixture(scope="module")
def again(stored: Verdict, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay(stored, path=wheel, folder=tmp_path_factory.mktemp("scratch"))


def test_the_accuracy_numbers_come_out_bit_for_bit(again: Replay):
    assert len(again.stored.accuracy) > 20
    assert again.changed_rows == []
    assert again.found.id != again.stored.id


def test_the_gates_about_right_and_wrong_come_out_the_same(again: Replay):
    timed = {"noise", "speed"}
    gates = [gate for gate in again.gates if gate[0] not in timed]
    assert len(gates) >= 7
    assert all(before == after for _, before, after in gates)


def test_one_changed_bit_is_seen(again: Replay):
    rows = list(again.stored.accuracy)
    rows[3] = dataclasses.replace(rows[3], max_error=rows[3].max_error + 2**-60)
    other = Replay(dataclasses.replace(again.stored, accuracy=rows), again.found)
    assert len(other.changed_rows) == 1
    assert not other.same
    fewer = Replay(dataclasses.replace(again.stored, accuracy=rows[:-1]), again.found)
    assert len(fewer.changed_rows) == 2


def test_other_bytes_are_refused(stored: Verdict, wheel: Path, tmp_path: Path):
    other = tmp_path / wheel.name
    other.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(ReplayError, match="has sha256"):
        replay(stored, path=other, folder=tmp_path)


def test_what_is_not_installed_is_asked_for(stored: Verdict, wheel: Path, tmp_path: Path):
    with pytest.raises(ReplayError, match="give --wheel"):
        replay(stored, folder=tmp_path)
    asked = []

    def fetch(sha256: str, folder: Path) -> Path:
        asked.append(sha256)
        raise ReplayError("the hub is away")

    with pytest.raises(ReplayError, match="away"):
        replay(stored, fetch=fetch, folder=tmp_path)
    assert asked == [stored.subject.sha256]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "0"}, "of judge 0"),
        ({"profile": "endless"}, "no profile"),
    ],
)
def test_a_verdict_of_other_rules_is_refused(stored, wheel, tmp_path, change, reason):
    other = dataclasses.replace(stored, judge={**stored.judge, **change})
    with pytest.raises(ReplayError, match=reason):
        replay(other, path=wheel, folder=tmp_path)


def test_another_contract_is_refused(stored, wheel, tmp_path):
    other = dataclasses.replace(stored, contract_digest="0" * 64)
    with pytest.raises(ReplayError, match="has digest"):
        replay(other, path=wheel, folder=tmp_path)


def test_a_stored_verdict_is_plain_json(stored: Verdict):
    assert json.loads(stored.to_json())["judge"]["seed"] == stored.judge["seed"]
