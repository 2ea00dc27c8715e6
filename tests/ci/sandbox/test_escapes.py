"""Row 9 of the judge's bars: every way out is denied or contained, and nobody else is harmed.

The attempts run by `escapes_table.py` at each tier and as each kind of user at once, beside a
judgement of an honest operator.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dougong_ci.judge import JudgeRequest, judge
from dougong_ci.report.verdict import Outcome, Verdict
from dougong_ci.sandbox import probe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TABLE = Path(__file__).with_name("escapes_table.py")
CORRECTNESS = ("build", "contract", "accuracy", "edges", "gradient", "laws", "determinism")
RUNS = {"T3": ("T3", False), "T2": ("T2", False), "T2 as an ordinary user": ("T2", True)}


@dataclasses.dataclass
class Beside:
    """What went on at the same time."""

    tables: dict[str, dict]
    verdict: Verdict


@pytest.fixture(scope="module")
def beside(candidates: Path, fast_profile, as_ordinary_user) -> Beside:
    if not probe().isolated:
        pytest.skip(f"no bubblewrap sandbox can be made here: {probe().detail}")
    running = {}
    for run, (tier, ordinary) in RUNS.items():
        command = [sys.executable, str(TABLE), "--tier", tier, "--json"]
        command += ["--without-archives"] if ordinary or tier == "T3" else []
        if ordinary and as_ordinary_user is None:
            continue
        running[run] = subprocess.Popen(
            as_ordinary_user(command) if ordinary else command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
    # Under such a load only patience tells a slow operator from a hanging one.
    patient = dataclasses.replace(fast_profile, prepare_s=60.0, call_s=30.0)
    request = JudgeRequest(path=candidates, operators=("trial/honest",), profile=patient, seed=7)
    try:
        (verdict,) = judge(request)
        tables = {}
        for run, process in running.items():
            out, err = process.communicate()
            assert out, f"the attempts at {run} must end in a table, got {err[-2000:]}"
            (tables[run],) = json.loads(out)
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return Beside(tables, verdict)


@pytest.mark.parametrize("run", RUNS)
def test_every_way_out_is_denied_or_contained(beside: Beside, run: str):
    table = beside.tables.get(run)
    if table is None:
        pytest.skip(
            "no ordinary user can be made here: it needs unshare, setpriv and the right to mount"
        )
    if not table["rows"]:
        pytest.skip(str(table["detail"]))
    escaped = {row["attempt"]: row["how"] for row in table["rows"] if not row["contained"]}
    assert escaped == {}
    assert len(table["rows"]) > 30


def test_a_judgement_beside_it_all_is_unharmed(beside: Beside):
    gates = {gate.name: gate for gate in beside.verdict.gates}
    wrong = {
        name: gates[name].summary
        for name in CORRECTNESS
        if gates[name].outcome is not Outcome.PASSED
    }
    assert wrong == {}
    assert Outcome.ERRORED not in {gate.outcome for gate in gates.values()}
    assert beside.verdict.code not in ("REJECTED_CRASH", "REJECTED_TIMEOUT", "REJECTED_TAMPER")
