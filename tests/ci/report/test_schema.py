from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dougong_ci.report import schema, signing, verdict
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, Score, SpeedCase, Subject, Verdict

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas" / "verdict-1.json"


@pytest.fixture
def example() -> Verdict:
    return Verdict(
        id="1",
        subject=Subject(operator={"name": "a/b"}, distribution="a", version="1", sha256="0" * 64),
        contract="norm.rms@1",
        contract_digest="d",
        suite="norm.rms@1/2026.1",
        device="cpu",
        hardware_class="cpu-x-2c",
        outcome=Outcome.PASSED,
        code="ACCEPTED",
        summary="ok",
        gates=[Gate(name="accuracy", outcome=Outcome.SKIPPED, summary="not run")],
        accuracy=[
            AccuracyRow(
                workload="w",
                params={"B": 1},
                dtype="float32",
                direction="forward",
                max_error=0.0,
                rms_error=0.0,
                native_max_error=0.0,
                native_rms_error=0.0,
                bound=1.0,
                relative_l2=0.0,
                passed=True,
            )
        ],
        speed=[
            SpeedCase(
                workload="w",
                params={},
                dtype="float32",
                mode="infer",
                weight=1.0,
                baseline="torch",
                baseline_us=[[1.0]],
                candidate_us=[[1.0]],
                control_us=[[1.0]],
            )
        ],
        scores=[
            Score(
                dtype="float32",
                mode="infer",
                speedup=1.0,
                ci_low=1.0,
                ci_high=1.0,
                coverage=1.0,
                restarts=1,
            )
        ],
        fingerprint={"torch": "2"},
        judge={"seed": 1},
        started_at="t",
        finished_at="t",
    )


def test_the_published_schema_is_the_one_built_from_the_records():
    assert json.loads(PUBLISHED.read_text()) == schema.build()


def test_a_verdict_survives_the_journey_through_json(example: Verdict):
    schema.validate(json.loads(example.to_json()))
    assert verdict.from_json(example.to_json()) == example


def test_an_envelope_signs_the_payload_as_it_stands(example: Verdict):
    private, public = signing.generate()
    envelope = signing.seal(example, private)
    assert signing.verify(envelope["payload"].encode(), envelope["signature"], public)
    assert verdict.from_json(envelope["payload"]) == example


def broken(data: dict[str, Any], how: str) -> dict[str, Any]:
    data = copy.deepcopy(data)
    match how:
        case "missing":
            del data["gates"]
        case "unknown":
            data["rank"] = 1
        case "outcome":
            data["gates"][0]["outcome"] = True
        case "type":
            data["speed"][0]["candidate_us"] = [["1"]]
        case "schema":
            data["schema"] = "dougong.verdict/2"
        case "nan":
            data["speed"][0]["candidate_us"] = [[float("nan")]]
    return data


@pytest.mark.parametrize("how", ["missing", "unknown", "outcome", "type", "schema", "nan"])
def test_what_breaks_the_schema_is_refused(example: Verdict, how: str):
    with pytest.raises(ValueError, match="verdict"):
        schema.validate(broken(json.loads(example.to_json()), how))
