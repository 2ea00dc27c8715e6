"""A release that passes is credited to who submitted it, once, at the level that was proved."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from dougong_registry.advisories.services import advisory_publish, advisory_withdraw
from dougong_registry.contributions.models import Contribution, Month
from dougong_registry.contributions.releases import release_credit
from dougong_registry.guards.install import install, lift
from dougong_registry.moderation.services import action_propose
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Release
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Job


@pytest.fixture
def publish_at(ada, runner, wheel_of, verdict_of, speed_case):
    """Publish a version whose operator is so many times as fast as the baseline."""

    def _publish_at(version: str, faster: float, **judged: str) -> Job:
        answer = ada.submit(wheel_of(version=version), f"acme_rms-{version}-py3-none-any.whl")
        job = Job.objects.get(submission_id=answer.json()["id"])
        runner.claim(job)
        runner.discover(job)
        verdict = verdict_of(job, cases=[speed_case(faster)], **judged)
        verdict.subject.version = version
        assert runner.send(job, verdict).status_code == 201
        assert runner.complete(job).status_code == 200
        return job

    return _publish_at


def test_a_new_operator_that_passes_is_suggested_as_l2(publish_at):
    job = publish_at("1.0", 1.5)
    row = Contribution.objects.get()
    release = job.submission.release
    release.refresh_from_db()
    assert (row.person.login, row.kind, row.level, row.decided_by) == ("ada", "change", "L2", None)
    assert (row.source, row.plugin) == ("release:acme-rms 1.0", release.plugin)
    assert row.evidence == [
        {"kind": "submission", "id": str(job.submission_id)},
        {"kind": "run", "id": Run.objects.get().verdict_id},
    ]
    assert row.occurred_at == release.published_at
    assert row.opened_at == job.submission.created_at
    assert "a new operator" in row.summary
    assert Month.objects.get().reviewed == 1


@pytest.mark.parametrize(
    ("faster", "level", "why"),
    [(1.5, "L1", "nothing in it is new"), (1.8, "L2", "faster than the release before")],
)
def test_a_later_release_is_l2_where_it_is_surely_faster(publish_at, faster, level, why):
    publish_at("1.0", 1.5)
    publish_at("1.1", faster)
    row = Contribution.objects.latest("pk")
    assert (row.source, row.level) == ("release:acme-rms 1.1", level)
    assert why in row.summary


def test_a_time_that_waits_for_a_reviewer_proves_nothing(publish_at):
    publish_at("1.0", 1.5)
    run = Run.objects.get()
    action_propose(
        kind="run.hold",
        target=run.verdict_id,
        reason="too good",
        proposer=Identity.objects.get(login="ada"),
    )
    publish_at("1.1", 1.8)
    assert Contribution.objects.latest("pk").level == "L1"


def test_what_did_not_pass_is_no_contribution(publish_at):
    publish_at("1.0", 1.0, outcome="failed", code="REJECTED_ACCURACY")
    assert not Contribution.objects.exists()
    assert release_credit(release=Release.objects.get()) is None


def test_a_revoked_release_counts_no_more_until_every_revocation_is_withdrawn(publish_at):
    publish_at("1.0", 1.5)
    numbers = [
        advisory_publish(
            plugin="acme-rms",
            versions="*",
            kind="malware",
            severity="high",
            summary="It phones home.",
            revoke=True,
        ).number
        for _ in range(2)
    ]
    void = Contribution.objects.latest("pk")
    assert (void.kind, void.decided_by) == ("void", None)
    assert void.summary == f"revoked by {numbers[0]}: It phones home."
    assert not Contribution.in_force().exists()
    advisory_withdraw(number=numbers[0], reason="It did not.")
    assert not Contribution.in_force().exists()
    advisory_withdraw(number=numbers[1], reason="Nor then.")
    assert Contribution.in_force().get().source == f"release:acme-rms 1.0 restored by {numbers[1]}"


def test_what_was_published_before_there_was_a_ledger_is_credited_by_a_command(publish_at, capsys):
    publish_at("1.0", 1.5)
    lift(connection)
    Contribution.objects.all().delete()
    install(connection)
    for said in ("1 recorded", "0 recorded"):
        call_command("contribution", "credit")
        assert said in capsys.readouterr().out
    assert Contribution.objects.get().level == "L2"


def test_it_is_credited_once(publish_at, runner):
    job = publish_at("1.0", 1.5)
    assert release_credit(release=Release.objects.get()) is None
    job.refresh_from_db()
    assert runner.complete(job).status_code == 200
    assert Contribution.objects.count() == 1
