"""One person protects; only two trust again."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from dougong_registry.audit.models import Entry
from dougong_registry.moderation.models import Action
from dougong_registry.people.models import Identity
from dougong_registry.runs.models import Run


@pytest.fixture
def published(ada, another_submitter, runner, job, verdict_of):
    another_submitter("ben")
    runner.claim(job)
    runner.discover(job)
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert runner.complete(job).status_code == 200


def propose(kind: str, target: str, login: str = "ada", reason: str = "a reason") -> None:
    call_command("moderation", "propose", kind, target, "--login", login, "--reason", reason)


def approve(number: int, login: str) -> None:
    call_command("moderation", "approve", str(number), "--login", login)


def files_offered() -> int:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    answer = Client().get("/simple/acme-rms/", headers=accept)
    return len(answer.json()["files"])


def ranked() -> int:
    return len(Client().get("/api/v1/boards").json()["results"])


def verbs() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("-seq").values_list("actor", "verb")[:1])


def test_a_quarantine_is_one_persons_and_its_end_is_two_peoples(published):
    assert files_offered() == 1
    propose("plugin.quarantine", "acme-rms")
    assert files_offered() == 0
    assert verbs() == [("local:ada", "plugin.quarantine.executed")]
    propose("plugin.lift", "acme-rms")
    assert files_offered() == 0
    waiting = Action.objects.latest("pk").pk
    with pytest.raises(CommandError, match="another person approves it"):
        approve(waiting, "ada")
    assert files_offered() == 0
    approve(waiting, "ben")
    assert files_offered() == 1
    assert verbs() == [("local:ben", "plugin.lift.executed")]
    with pytest.raises(CommandError, match="was executed at"):
        approve(waiting, "ben")


def test_a_held_run_is_on_no_board_until_two_people_release_it(published):
    run = Run.objects.get().verdict_id
    assert ranked() == 1
    propose("run.hold", run)
    assert ranked() == 0
    propose("run.release", run)
    assert ranked() == 0
    approve(Action.objects.latest("pk").pk, "ben")
    assert ranked() == 1


def test_a_revoked_runner_is_turned_away_for_good(published, runner, job):
    propose("runner.revoke", "cpu-1")
    assert runner.claim(job).status_code in {401, 403}
    with pytest.raises(CommandError, match="changes nothing"):
        propose("runner.revoke", "cpu-1")


@pytest.mark.parametrize(
    ("kind", "target", "login", "reason", "said"),
    [
        ("plugin.quarantine", "nobodys", "ada", "why", "there is no 'nobodys'"),
        ("plugin.quarantine", "acme-rms", "ada", " ", "needs a reason"),
        ("plugin.quarantine", "acme-rms", "eve", "why", "nobody is known as eve"),
        ("plugin.lift", "acme-rms", "ada", "why", "changes nothing of acme-rms"),
        ("run.release", "no-run", "ada", "why", "there is no 'no-run'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_recorded(
    published, kind, target, login, reason, said
):
    before = Entry.objects.count()
    with pytest.raises(CommandError, match=said):
        propose(kind, target, login, reason)
    assert (Action.objects.count(), Entry.objects.count()) == (0, before)


def test_proposed_twice_is_told_to_approve(published, capsys):
    propose("plugin.quarantine", "acme-rms")
    propose("plugin.lift", "acme-rms")
    with pytest.raises(CommandError, match="waits already, as action"):
        propose("plugin.lift", "acme-rms", "ben")
    call_command("moderation", "list")
    assert "plugin.lift  acme-rms  by ada  waits for a second person" in capsys.readouterr().out


def test_the_database_knows_that_two_are_not_one(published):
    """Past all of our code: by the database itself."""
    propose("plugin.quarantine", "acme-rms")
    propose("plugin.lift", "acme-rms")
    waiting = Action.objects.filter(kind="plugin.lift")
    ada = Identity.objects.get(login="ada").pk
    for values in ({"approver_id": ada, "executed_at": "2026-01-01T00:00:00Z"},
                   {"executed_at": "2026-01-01T00:00:00Z"}):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            waiting.update(**values)
