"""Verdicts on backends become one board, a trained model at a time."""

from __future__ import annotations

import json

import pytest

from dougong import backends
from dougong.catalogue import Catalogue
from dougong.cli.dispatch import main
from dougong.errors import EvidenceError


def verdict(operator="acme/quick", **changed):
    facts = {
        "outcome": "passed",
        "code": "ACCEPTED",
        "summary": "as it went",
        "finished": "2026-11-30T10:00:00+00:00",
        "speedup": 2.0,
        "error": 1e-7,
        "timed": True,
        **changed,
    }

    def row(workload, trained, error, ratio):
        return {
            "workload": workload,
            "params": {"trained": trained} if trained else {},
            "dtype": "float32",
            "relative_l2": error,
            "native_ratio": ratio,
            "passed": True,
        }

    def case(workload, times):
        return {
            "workload": workload,
            "params": {"trained": "text-mlp"},
            "dtype": "float32",
            "mode": "infer",
            "baseline_us": [[2 * t for t in each] for each in times],
            "candidate_us": times,
            "peak_bytes": [300_000_000, 310_000_000],
            "baseline_peak_bytes": [290_000_000, 280_000_000],
        }

    score = {"dtype": "float32", "mode": "infer", "ci_low": 1.9, "ci_high": 2.1}
    return json.dumps(
        {
            "schema": "dougong.verdict/1",
            "contract": backends.CONTRACT,
            "contract_digest": "d",
            "id": f"id-of-{operator.replace('/', '-')}",
            "subject": {"operator": {"name": operator}, "distribution": "acme", "version": "1.0"},
            "outcome": facts["outcome"],
            "code": facts["code"],
            "summary": facts["summary"],
            "device": "cpu",
            "hardware_class": "x86-64/2",
            "finished_at": facts["finished"],
            "judge": {"profile": "standard"},
            "scores": [{**score, "speedup": facts["speedup"]}] if facts["timed"] else [],
            "speed": [case("hidden-text-mlp-9", [[900.0]]), case("text-mlp-32", [[10, 30], [21]])]
            if facts["timed"]
            else [],
            "accuracy": [
                row("text-mlp-32", "text-mlp", facts["error"], 1.25),
                row("text-mlp-5", "text-mlp", facts["error"] / 2, 2.5),
                row("text-mlp-5+huge-x", "text-mlp", 1.0, 80.0),
                row("conv-sorted", "", 1.0, 9.0),
                row("digits-conv-4", "digits-conv", 3e-7, 1.0),
            ],
        }
    )


UNAVAILABLE = {"outcome": "skipped", "code": "UNAVAILABLE", "summary": "no device file", "timed": 0}


def board(*texts):
    return backends.board(row for text in texts if (row := backends.read(text)) is not None)


class TestBoard:
    def test_a_model_is_timed_by_its_public_workload(self):
        model = board(verdict())[0].models[0]
        assert (model.model, model.latency_us, model.eager_us) == ("text-mlp", 20.5, 41.0)
        assert (model.peak_bytes, model.eager_peak_bytes) == (310_000_000, 290_000_000)

    def test_agreement_is_the_worst_over_ordinary_inputs_of_the_model(self):
        text, digits = board(verdict())[0].models
        assert (text.relative_l2, text.of_eager) == (1e-7, 2.5)
        assert (digits.model, digits.relative_l2) == ("digits-conv", 3e-7)

    def test_what_was_not_timed_has_no_latency_but_agreement(self):
        (row,) = board(verdict(timed=False, outcome="inconclusive", code="INCONCLUSIVE_UNMEASURED"))
        assert row.speedup is None
        assert row.models[0].latency_us is None
        assert row.models[0].peak_bytes is None
        assert row.models[0].agrees

    def test_the_fastest_come_first_then_the_refused_then_who_cannot_run(self):
        rows = board(
            verdict("acme/away", **UNAVAILABLE),
            verdict("acme/bad", outcome="failed", code="REJECTED_ACCURACY", speedup=9.0),
            verdict("acme/slow", speedup=1.1),
            verdict("acme/quick", speedup=2.0),
        )
        names = ["acme/quick", "acme/slow", "acme/bad", "acme/away"]
        assert [row.operator for row in rows] == names

    def test_of_one_backend_on_one_machine_the_newest_verdict_stands(self):
        rows = board(
            verdict(finished="2026-11-30T12:00:00+00:00", outcome="failed"),
            verdict(finished="2026-11-30T11:00:00+00:00"),
        )
        assert [row.outcome for row in rows] == ["failed"]

    def test_verdicts_of_other_contracts_are_passed_over_and_malformed_ones_refused(self):
        other = json.loads(verdict())
        other["contract"] = "norm.rms@1"
        assert backends.read(json.dumps(other)) is None
        with pytest.raises(EvidenceError, match="malformed verdict: KeyError"):
            backends.read(json.dumps({"contract": backends.CONTRACT}))


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "acme" / "verdicts"
    folder.mkdir(parents=True)
    (folder / "quick.json").write_text(verdict())
    refused = {"outcome": "failed", "code": "REJECTED_ACCURACY"}
    (folder / "bad.json").write_text(verdict("acme/bad", timed=False, **refused))
    (folder / "away.json").write_text(verdict("acme/away", **UNAVAILABLE))
    numbers = {
        "us": 500.0,
        "eager_us": 750.0,
        "speedup": 1.5,
        "interval": [1.4, 1.6],
        "resident_mb": 12.0,
        "artifact_mb": 3.25,
        "error": 2e-6,
        "same_class": 1.0,
        "prepare_s": 3.0,
    }
    rows = [
        {"backend": "acme/quick", "model": "minilm-l6", **numbers},
        {"backend": "acme/bad", "model": "minilm-l6", "reason": "RuntimeError: too large"},
        {"backend": "acme/away", "model": "", "reason": "no device file"},
    ]
    text = json.dumps({"schema": backends.SCHEMA, "rows": rows})
    (tmp_path / "backends.json").write_text(text)
    return tmp_path


class TestCommand:
    def test_json_lists_every_entry_with_its_models_and_what_was_measured_beside(
        self, stored, capsys
    ):
        assert main(["board", "backend", "--from", str(stored), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["judged"], found["accepted"]) == (2, 1)
        assert found["unavailable"] == len({"acme/away", *found["absent"]})
        assert [model["model"] for model in found["rows"][0]["models"]] == [
            "text-mlp",
            "digits-conv",
        ]
        assert (found["measured"][0]["artifact_mb"], found["measured"][0]["ci_low"]) == (3.25, 1.4)

    def test_the_table_shows_latency_memory_size_and_agreement_and_says_who_is_missing(
        self, stored, capsys
    ):
        assert main(["board", "backend", "--from", str(stored)]) == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert "acme/quick 20 2.00x 310 290 1.0e-07 2.5x ACCEPTED id-of-ac" in lines
        assert "acme/quick 500 1.50x [1.40, 1.60] +12 3.25 2.0e-06 100.0%" in lines
        assert "unavailable acme/away: no device file" in lines
        assert "not accepted acme/bad 1.0 REJECTED_ACCURACY: as it went" in lines
        assert "not measured acme/bad minilm-l6: RuntimeError: too large" in lines
        assert lines[-1].startswith("2 judged, 1 accepted, ")

    def test_backends_installed_that_cannot_run_here_are_named_with_the_reason(
        self, stored, capsys
    ):
        found = Catalogue.discover().find(contract=backends.CONTRACT)
        reasons = {each.name: why for each in found if (why := each.unavailable())}
        assert main(["board", "backend", "--from", str(stored), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["absent"] == reasons
        assert main(["board", "backend", "--from", str(stored)]) == 0
        text = capsys.readouterr().out
        for name, why in reasons.items():
            assert f"unavailable  {name}: {why}" in text

    def test_a_file_of_another_schema_is_one_line(self, stored, capsys):
        (stored / "backends.json").write_text('{"schema": "other/1", "rows": []}')
        assert main(["board", "backend", "--from", str(stored)]) == 2
        assert "schema must be dougong.backends/1, got 'other/1'" in capsys.readouterr().err

    def test_without_hub_or_folder_the_verdicts_of_this_machine_speak(
        self, tmp_path, monkeypatch, capsys
    ):
        from dougong import evidence

        monkeypatch.setenv("DOUGONG_HOME", str(tmp_path))
        monkeypatch.delenv("DOUGONG_HUB_URL", raising=False)
        evidence.add(verdict())
        assert main(["board", "backend", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [row["operator"] for row in found["rows"]] == ["acme/quick"]
