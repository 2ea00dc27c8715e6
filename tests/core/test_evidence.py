"""Verdicts are kept by operator, and only a fitting one that passed speaks for an operator."""

from __future__ import annotations

import json

import pytest

from dougong import evidence
from dougong.catalogue import Entry
from dougong.errors import EvidenceError
from dougong.operator import Operator


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path))
    return tmp_path


def verdict(
    identity="v1",
    operator="acme/rms",
    *,
    outcome="passed",
    code="ACCEPTED",
    version="1.0",
    ci_low=1.1,
    dtype="float32",
    hardware="x86-64/2",
    device="cpu",
    finished="2026-01-01T00:00:00+00:00",
    distribution="acme-rms",
) -> str:
    score = {"dtype": dtype, "mode": "infer", "speedup": ci_low + 0.1}
    score |= {"ci_low": ci_low, "ci_high": ci_low + 0.2, "coverage": 1.0, "restarts": 5}
    subject = {"operator": {"name": operator}, "distribution": distribution}
    return json.dumps(
        {
            "schema": "dougong.verdict/1",
            "id": identity,
            "subject": {**subject, "version": version, "sha256": "0" * 64},
            "contract": "norm.rms@1",
            "contract_digest": "d",
            "outcome": outcome,
            "code": code,
            "summary": "",
            "device": device,
            "hardware_class": hardware,
            "finished_at": finished,
            "scores": [score],
        }
    )


def entry(name="acme/rms", version="1.0", distribution="acme-rms") -> Entry:
    operator = Operator(name=name, contract="norm.rms@1", target="nowhere:f")
    return Entry(operator, distribution, distribution, version)


def choose(*entries: Entry, dtype="float32", mode="infer"):
    return evidence.best(entries, device="cpu", dtype=dtype, mode=mode)


def test_what_is_added_is_found_newest_first():
    evidence.add(verdict("old", finished="2026-01-01T00:00:00+00:00"))
    evidence.add(verdict("new", finished="2026-02-01T00:00:00+00:00"))
    assert [record.id for record in evidence.for_operator("acme/rms")] == ["new", "old"]
    assert evidence.for_operator("acme/other") == ()
    assert evidence.for_operator("../../etc") == ()


def test_same_id_replaces(home):
    evidence.add(verdict(code="FIRST"))
    evidence.add(verdict(code="SECOND"))
    assert [record.code for record in evidence.for_operator("acme/rms")] == ["SECOND"]
    assert len(list((home / "verdicts").rglob("*.*"))) == 1


def test_unreadable_file_is_passed_over(home):
    evidence.add(verdict())
    (home / "verdicts" / "acme" / "rms" / "torn.json").write_text('{"schema":')
    assert len(evidence.for_operator("acme/rms")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"schema": "other/1"}',
        verdict("../escape"),
        verdict(operator="../../escape"),
        verdict(operator="A B"),
    ],
)
def test_malformed_verdict_is_refused(text, home):
    with pytest.raises(EvidenceError):
        evidence.add(text)
    assert list(home.iterdir()) == []


def test_best_takes_the_higher_lower_bound_and_says_why():
    evidence.add(verdict("a", ci_low=1.1))
    evidence.add(verdict("b", "zeta/rms", ci_low=1.3, distribution="zeta"))
    chosen, reason = choose(entry(), entry("zeta/rms", distribution="zeta"))
    assert chosen is not None
    assert chosen.name == "zeta/rms"
    assert "1.40x [1.30, 1.50] on x86-64/2, float32, infer, verdict b" in reason


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"outcome": "failed", "code": "REJECTED_ACCURACY"}, "REJECTED_ACCURACY"),
        ({"outcome": "inconclusive", "code": "INCONCLUSIVE_NOISE"}, "no verdict"),
        ({"version": "0.9"}, "no verdict on version 1.0"),
        ({"distribution": "impostor"}, "no verdict on version 1.0"),
        ({"device": "cuda"}, "no verdict"),
        ({"dtype": "bfloat16"}, "not measured in float32, infer"),
    ],
)
def test_verdict_that_does_not_fit_counts_for_nothing(changed, why):
    evidence.add(verdict(**changed))
    chosen, reason = choose(entry())
    assert chosen is None
    assert reason == f"no judged candidate (acme/rms: {why})"


def test_later_failure_takes_back_an_earlier_pass():
    evidence.add(verdict("pass", finished="2026-01-01T00:00:00+00:00"))
    evidence.add(
        verdict("fail", outcome="failed", code="REJECTED", finished="2026-01-02T00:00:00+00:00")
    )
    assert choose(entry())[0] is None
    evidence.add(
        verdict("noise", outcome="inconclusive", code="N", finished="2026-01-03T00:00:00+00:00")
    )
    assert choose(entry())[0] is None


def test_distribution_names_compare_as_pip_does():
    evidence.add(verdict(distribution="Acme_RMS"))
    assert choose(entry())[0] is not None


def test_no_candidates():
    assert choose() == (None, "no judged candidate")


def test_real_verdict_of_the_judge_is_read():
    from dougong_ci.report.verdict import Outcome, Score, Subject, Verdict

    made = Verdict(
        id="r1",
        subject=Subject(
            operator={"name": "acme/rms"}, distribution="acme-rms", version="1.0", sha256="0" * 64
        ),
        contract="norm.rms@1",
        contract_digest="d",
        suite="norm.rms@1/2026.1",
        device="cpu",
        hardware_class="x",
        outcome=Outcome.PASSED,
        code="ACCEPTED",
        summary="",
        gates=[],
        accuracy=[],
        speed=[],
        scores=[
            Score(
                dtype="float32",
                mode="infer",
                speedup=1.2,
                ci_low=1.1,
                ci_high=1.3,
                coverage=1.0,
                restarts=3,
            )
        ],
        fingerprint={},
        judge={},
        started_at="2026-01-01T00:00:00+00:00",
        finished_at="2026-01-01T00:01:00+00:00",
    )
    evidence.add(made.to_json())
    assert choose(entry())[0] is not None
