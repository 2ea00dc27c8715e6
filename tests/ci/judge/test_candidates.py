"""Bad candidates are rejected by the gate that names why; cheats are in `test_corpus.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dougong_ci.judge import JudgeRequest, judge
from dougong_ci.report import schema
from dougong_ci.report.verdict import Outcome, Verdict, from_json

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

REJECTED = {
    "alias": ("contract", "REJECTED_CONTRACT"),
    "double-width": ("contract", "REJECTED_CONTRACT"),
    "exiting": ("contract", "REJECTED_CONTRACT"),
    "aborting": ("contract", "REJECTED_CRASH"),
    "segfaulting": ("contract", "REJECTED_CRASH"),
    "hanging": ("contract", "REJECTED_TIMEOUT"),
    "raising": ("build", "REJECTED_BUILD"),
    "nondeterministic": ("determinism", "REJECTED_NONDETERMINISTIC"),
    "wrong-gradient": ("gradient", "REJECTED_GRAD"),
    "sleeping": ("speed", "REJECTED_SLOW"),
}
HONEST = ("honest", "plain", "spamming")


@pytest.fixture(scope="session")
def events() -> list[dict]:
    return []


@pytest.fixture(scope="session")
def verdicts(candidates: Path, fast_profile, events) -> dict[str, Verdict]:
    request = JudgeRequest(path=candidates, profile=fast_profile, seed=20260101)
    found = judge(request, events.append)
    return {str(v.subject.operator["name"]).partition("/")[2]: v for v in found}


@pytest.mark.parametrize("name", sorted(REJECTED))
def test_a_bad_candidate_is_rejected_by_the_gate_that_names_why(
    verdicts: dict[str, Verdict], name: str
):
    verdict = verdicts[name]
    failed = [gate.name for gate in verdict.gates if gate.outcome is Outcome.FAILED]
    gate, code = REJECTED[name]
    assert (verdict.outcome, verdict.code, failed[:1]) == (Outcome.FAILED, code, [gate]), (
        verdict.summary
    )
    assert verdict.summary.startswith(f"{gate}: ")


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_candidate_passes_every_gate_but_for_the_noise_of_the_host(verdicts, name: str):
    verdict = verdicts[name]
    assert verdict.code in ("ACCEPTED", "INCONCLUSIVE_NOISE"), verdict.summary
    before = [gate for gate in verdict.gates if gate.name not in ("noise", "speed")]
    assert {gate.outcome for gate in before} <= {Outcome.PASSED, Outcome.SKIPPED}
    assert [score.restarts for score in verdict.scores] == [1]


def test_every_operator_has_a_verdict_that_follows_the_schema(verdicts, events):
    (discovered,) = [event for event in events if event["kind"] == "discovered"]
    names = {str(each["name"]).partition("/")[2] for each in discovered["operators"]}
    assert names == set(verdicts) == {*REJECTED, *HONEST}
    for verdict in verdicts.values():
        schema.validate(json.loads(verdict.to_json()))
        assert from_json(verdict.to_json()) == verdict
    finished = [event["operator"] for event in events if event["kind"] == "operator_finished"]
    assert len(finished) == len(set(finished)) == len(verdicts)


def test_a_gate_that_did_not_run_is_skipped_with_a_reason(verdicts):
    for gate in verdicts["hanging"].gates:
        if gate.required and gate.name not in ("build", "contract"):
            assert gate.outcome is Outcome.SKIPPED
            assert gate.summary.startswith("not run: ")


def test_the_verdict_says_what_it_was_made_with(verdicts, fast_profile):
    verdict = verdicts["honest"]
    assert verdict.judge["seed"] == 20260101
    assert verdict.judge["fit_for_board"] is False
    assert verdict.judge["sandbox"] in ("T1", "T2", "T3")
    assert verdict.subject.distribution == "trial"
    assert verdict.hardware_class.startswith("cpu-")
    assert {row.hidden for row in verdict.accuracy} == {True, False}
    statuses = {claim["claim"]: claim["status"] for claim in verdict.claims}
    assert statuses["tastes good"] == "unmeasured"
    assert statuses["error <= 0.001 ulp"] == "refuted"
    # One restart decides nothing about speed.
    assert statuses["speedup >= 50 over torch on cpu"] == "unmeasured"
