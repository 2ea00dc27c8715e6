"""Verdicts on optimizers become one board, on which every algorithm counts once."""

from __future__ import annotations

import json

import pytest

from dougong import evidence, training
from dougong.cli.dispatch import main
from dougong.errors import EvidenceError

WALK = [0.1 * i - 0.9 for i in range(24)]


def verdict(operator="acme/fast", **changed):
    facts = {
        "algorithm": "fast",
        "outcome": "passed",
        "walk": WALK,
        "loss": 2.5,
        "finished": "2026-11-30T10:00:00+00:00",
        "steps": [40, 50, None],
        **changed,
    }

    def measured(values, mean):
        return {"values": values, "mean": mean, "ci_low": mean - 1, "ci_high": mean + 1}

    params = {
        "final_loss": measured([facts["loss"]] * 3, facts["loss"]),
        "steps_to_target": measured(facts["steps"], 45.0),
        "ms_to_target": measured([1.0, 2.0, None], 1.5),
        "state_bytes_per_parameter_byte": 2.0,
    }
    named = {"name": operator, "variant": facts["algorithm"], "paper": "arXiv:1", "license": "MIT"}
    return json.dumps(
        {
            "schema": "dougong.verdict/1",
            "contract": training.CONTRACT,
            "contract_digest": "d",
            "id": f"id-of-{operator.replace('/', '-')}",
            "subject": {"operator": named, "distribution": "acme", "version": "1.0", "sha256": ""},
            "outcome": facts["outcome"],
            "code": "ACCEPTED" if facts["outcome"] == "passed" else "REJECTED_QUALITY",
            "summary": "as it went",
            "device": "cpu",
            "hardware_class": "x86-64/2",
            "finished_at": facts["finished"],
            "scores": [],
            "gates": [{"name": "quality", "measurements": {"signature": facts["walk"]}}],
            "quality": [
                {"task": "text", "retained": 1.0, "params": params},
                {"task": "turned", "retained": 1.0, "params": {"steps": 40}},
            ],
        }
    )


def board(*texts):
    return training.board(row for text in texts if (row := training.read(text)) is not None)


class TestBoard:
    def test_the_accepted_come_first_by_their_loss(self):
        rows = board(
            verdict("acme/slow", loss=2.9, algorithm="slow", walk=WALK[::-1]),
            verdict("acme/bad", outcome="failed", algorithm="bad", loss=1.0, walk=[]),
            verdict("acme/fast", loss=2.4),
        )
        assert [row.operator for row in rows] == ["acme/fast", "acme/slow", "acme/bad"]
        assert [row.counts for row in rows] == [True, True, False]

    def test_of_one_operator_on_one_machine_the_newest_verdict_stands(self):
        rows = board(
            verdict(finished="2026-11-30T12:00:00+00:00", outcome="failed"),
            verdict(finished="2026-11-30T11:00:00+00:00"),
        )
        assert [row.outcome for row in rows] == ["failed"]

    def test_starts_that_never_reached_the_target_are_told(self):
        (row,) = board(verdict(steps=[40, 50, None]))
        found = row.lessons[0].steps_to_target
        assert (found.reached, found.starts) == (2, 3)


class TestAliases:
    def test_the_same_walk_under_another_name_counts_once(self):
        rounded = [value * (1 + 1e-5) for value in WALK]
        rows = board(
            verdict("acme/fast"),
            verdict("acme/quick", algorithm="quick", walk=rounded, loss=2.6),
        )
        assert [row.alias_of for row in rows] == ["", "acme/fast"]

    def test_the_same_name_counts_once_however_it_walks(self):
        rows = board(verdict("a/x", walk=WALK), verdict("b/x", walk=WALK[::-1], loss=2.6))
        assert [row.counts for row in rows] == [True, False]

    def test_who_was_refused_makes_nobody_an_alias(self):
        rows = board(verdict("a/x", outcome="failed"), verdict("b/y", algorithm="other", walk=WALK))
        assert [(row.operator, row.counts) for row in rows] == [("b/y", True), ("a/x", False)]

    def test_without_a_walk_nobody_is_like_another(self):
        assert training.distance([], []) == float("inf")


def test_verdicts_of_other_contracts_are_passed_over_and_malformed_ones_named(tmp_path):
    other = json.loads(verdict())
    other["contract"] = "norm.rms@1"
    assert training.read(json.dumps(other)) is None
    folder = tmp_path / "acme" / "verdicts"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{}")
    with pytest.raises(EvidenceError, match=r"broken\.json: malformed verdict: KeyError"):
        list(evidence.in_folders([tmp_path], training.read))


class TestCommand:
    @pytest.fixture
    def stored(self, tmp_path):
        folder = tmp_path / "acme" / "verdicts"
        folder.mkdir(parents=True)
        (folder / "fast.json").write_text(verdict())
        (folder / "quick.json").write_text(verdict("acme/quick", algorithm="quick", loss=2.6))
        (folder / "bad.json").write_text(verdict("acme/bad", outcome="failed", walk=[]))
        return str(tmp_path)

    def test_json_lists_every_entry_with_its_verdict(self, stored, capsys):
        assert main(["board", "optimizer", "--from", stored, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["judged"], found["accepted"], found["algorithms"]) == (3, 2, 1)
        assert {row["verdict"] for row in found["rows"]} == {
            "id-of-acme-fast",
            "id-of-acme-quick",
            "id-of-acme-bad",
        }

    def test_the_table_names_aliases_and_what_was_not_accepted(self, stored, capsys):
        assert main(["board", "optimizer", "--from", stored]) == 0
        text = capsys.readouterr().out
        assert "45 [44, 46] (2 of 3)" in text
        assert "same algorithm  acme/quick is acme/fast" in text
        assert "not accepted  acme/bad 1.0  REJECTED_QUALITY: as it went" in text
        assert "3 judged, 2 accepted, 1 algorithms" in text

    def test_a_folder_that_is_not_there_is_one_line(self, capsys):
        assert main(["board", "optimizer", "--from", "/nowhere"]) == 2
        assert "--from must be a folder, got '/nowhere'" in capsys.readouterr().err

    def test_without_hub_or_folder_the_verdicts_of_this_machine_speak(
        self, tmp_path, monkeypatch, capsys
    ):
        from dougong import evidence

        monkeypatch.setenv("DOUGONG_HOME", str(tmp_path))
        monkeypatch.delenv("DOUGONG_HUB_URL", raising=False)
        evidence.add(verdict())
        assert main(["board", "optimizer", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [row["operator"] for row in found["rows"]] == ["acme/fast"]
