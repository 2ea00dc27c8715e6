"""The core's client and its commands, against a hub that is live."""

from __future__ import annotations

import json

import pytest

from dougong.cli import main
from dougong.errors import HubError
from dougong.hub import Hub, client
from dougong_registry.submissions.models import Job

pytestmark = [
    # The live server starts before a test can name a static folder; no page is asked for.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]
NAMES = ["acme/a", "acme/b", "acme/c"]


@pytest.fixture
def hub(live_server, monkeypatch, tmp_path, ada, runner, verdict_of, wheel_of):
    """One release of three operators, each judged; pages of two rows."""
    monkeypatch.setattr(client, "PAGE_ROWS", 2)
    monkeypatch.setenv("DOUGONG_HUB_URL", live_server.url)
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("DOUGONG_TOKEN", raising=False)
    for version in ("1.0", "1.1", "1.2"):
        answer = ada.submit(wheel_of(version=version), f"acme_rms-{version}-py3-none-any.whl")
        job = Job.objects.get(submission_id=answer.json()["id"])
    runner.claim(job)
    runner.discover(job, *NAMES)
    for name in NAMES:
        verdict = verdict_of(job, name)
        verdict.subject.version = "1.2"
        assert runner.send(job, verdict).status_code == 201
    runner.complete(job)
    with Hub.required() as made:
        yield made


def test_every_list_is_read_to_its_end(hub):
    assert [row.name for row in hub.operators()] == NAMES
    assert [row.name for row in hub.operators("b", family="norm")] == ["acme/b"]
    assert [row.name for row in hub.operators(ordering="fastest", dtype="float32")] == NAMES
    assert list(hub.operators(family="attention")) == []
    runs = list(hub.runs())
    assert sorted(run.operator for run in runs) == NAMES
    assert [run.outcome for run in hub.runs(operator="acme/b", official="true")] == ["passed"]
    assert runs[0].scores[0].speedup == pytest.approx(1.5, rel=0.05)
    (plugin,) = hub.plugins("acme")
    assert (plugin.name, plugin.releases, plugin.latest) == ("acme-rms", 3, "1.2")
    releases = list(hub.releases("acme-rms"))
    assert [release.version for release in releases] == ["1.2", "1.1", "1.0"]
    assert [bool(release.published_at) for release in releases] == [True, False, False]
    (board,) = hub.boards(family="norm")
    assert (board.contract, board.entries) == ("norm.rms@1", 3)
    assert hub.verdict(runs[0].id).startswith("{")


def test_pages_are_asked_for_when_due(hub, monkeypatch):
    asked = []
    send = hub._json
    monkeypatch.setattr(hub, "_json", lambda *of, **more: asked.append(of) or send(*of, **more))
    rows = hub.operators()
    assert asked == []
    next(rows), next(rows)
    assert len(asked) == 1
    next(rows)
    assert len(asked) == 2


def test_a_link_to_another_machine_is_not_followed(hub, monkeypatch):
    send = hub._json

    def turned(*of, **more):
        return {**send(*of, **more), "next": "//evil.example/api/v1/operators"}

    monkeypatch.setattr(hub, "_json", turned)
    with pytest.raises(HubError, match="lists are read from"):
        list(hub.operators())


def test_a_refusal_is_one_line(hub):
    with pytest.raises(HubError, match=r"refused \(400\)"):
        list(hub.runs(outcome="splendid"))
    with pytest.raises(HubError, match="no plugin"):
        list(hub.releases("nobody"))


def test_search_runs_and_board_at_the_shell(hub, capsys):
    assert main(["search", "--limit", "2"]) == 0
    told = capsys.readouterr().out
    assert "acme/a" in told
    assert "2 of 3; narrow it" in told
    assert main(["search", "acme", "--verdict", "none"]) == 0
    told = capsys.readouterr().out
    assert "nothing matches" in told
    assert main(["search", "accme", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["total"], found["corrected"]) == (3, "acme")
    assert found["facets"]["verdict"] == [{"value": "passed", "count": 3}]
    assert main(["runs", "acme/b"]) == 0
    told = capsys.readouterr().out
    assert "acme/b" in told
    assert "passed ACCEPTED" in told
    assert "acme/a" not in told
    assert main(["runs", "--limit", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["board"]) == 0
    assert "norm.rms@1" in capsys.readouterr().out
    assert main(["runs", "--outcome", "splendid"]) == 2


def test_an_owner_yanks_and_retires_at_the_shell(hub, ada, capsys):
    mine = ["--token", ada.token]
    assert main(["yank", "acme-rms", "1.2", "--reason", "wrong for [odd] sizes", *mine]) == 0
    assert "acme-rms 1.2 is yanked: wrong for [odd] sizes" in capsys.readouterr().out
    assert [bool(row.yanked_reason) for row in hub.releases("acme-rms")] == [True, False, False]
    assert main(["yank", "acme-rms", "1.2", "--undo", *mine]) == 0
    assert not any(row.yanked_reason for row in hub.releases("acme-rms"))
    for flags, status in (([], "archived"), (["--deprecated"], "deprecated")):
        assert main(["retire", "acme-rms", "--reason", "moved", *flags, *mine]) == 0
        assert f"acme-rms is {status}: moved" in capsys.readouterr().out
        assert [row.status for row in hub.plugins("acme")] == [status]
    assert main(["retire", "acme-rms", "--undo", *mine]) == 0
    assert [row.status for row in hub.plugins("acme")] == ["active"]


@pytest.mark.parametrize(
    "words",
    [
        ["yank", "acme-rms", "1.2"],
        ["yank", "acme-rms", "1.2", "--reason", "x", "--undo"],
        ["retire", "acme-rms"],
        ["retire", "acme-rms", "--undo", "--deprecated"],
        ["retire", "acme-rms", "--reason", "x"],  # no token
    ],
)
def test_what_is_half_said_changes_nothing(hub, words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.strip()
    assert not any(row.yanked_reason for row in hub.releases("acme-rms"))
    assert [row.status for row in hub.plugins("acme")] == ["active"]
