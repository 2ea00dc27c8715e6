"""What an older torch, judge or suite judged is judged again, behind everything else."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from dougong_registry.audit.models import Entry
from dougong_registry.campaigns import services
from dougong_registry.campaigns.models import Campaign, Order
from dougong_registry.campaigns.tasks import campaigns_advance
from dougong_registry.fleet.models import Capability
from dougong_registry.runs.models import Run
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting
from dougong_registry.submissions.fairness import HUB, Waiting, choose
from dougong_registry.submissions.jobs import jobs_requeue_expired
from dougong_registry.submissions.models import Job

OLD, NEW = "2.9.1+cpu", "2.10.0+cpu"


@pytest.fixture
def old(judged):
    """One operator, judged under an older torch."""
    return judged(torch=OLD)


@pytest.fixture
def upgraded(old, runner, beat):
    """Its machine has a newer torch now."""
    beat(runner, torch_version=NEW)
    return old


def stale():
    (row,) = Client().get("/api/v1/boards/norm.rms@1").json()["rows"]
    return row["stale"]


def badge():
    return Client().get("/badges/acme/rms.svg").content.decode()


def listed():
    return Client().get("/api/v1/campaigns").json()["results"]


def the_order():
    return Job.objects.get(cause="campaign")


def test_a_place_is_stale_until_a_run_by_the_newest_takes_it(upgraded, judge_again):
    said = "judged under torch 2.9.1+cpu, where this kind of machine now has 2.10.0+cpu"
    assert stale() == said
    for page in ("/boards/norm.rms@1/", "/operators/acme/rms/"):
        assert said in Client().get(page).content.decode()
    assert "passed 1.50x (stale)" in badge()
    campaigns_advance()
    judge_again(the_order(), torch=NEW)
    assert stale() == ""
    assert "stale" not in badge()
    assert "stale" not in Client().get("/operators/acme/rms/").content.decode()


def test_a_campaign_goes_from_the_upgrade_to_its_end_and_says_so(upgraded, judge_again):
    campaigns_advance()
    (row,) = listed()
    assert (row["reason"], row["from_versions"], row["to_version"]) == ("torch", OLD, NEW)
    assert (row["done"], row["total"], row["left"]) == (0, 1, 1)
    job = the_order()
    assert (job.priority, job.operators, job.hardware_class) == ("low", ["acme/rms"], "cpu-test")
    page = Client().get("/rejudging/").content.decode()
    assert '<progress value="0" max="1"' in page
    assert "0 of 1, 1 left" in page
    judge_again(job, torch=NEW)
    campaigns_advance()
    (row,) = listed()
    assert (row["done"], row["total"], row["ended_as"]) == (1, 1, "finished")
    assert Order.objects.get().again == Run.objects.latest("pk")
    verbs = Entry.objects.filter(verb__startswith="campaign.").order_by("seq")
    assert [each.verb for each in verbs] == ["campaign.started", "campaign.finished"]
    campaigns_advance()
    assert Campaign.objects.count() == 1


def test_asked_as_often_as_you_like_it_orders_once(upgraded):
    for _ in range(3):
        campaigns_advance()
    assert (Campaign.objects.count(), Job.objects.filter(cause="campaign").count()) == (1, 1)
    twin = Campaign.objects.get()
    twin.pk, twin._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


def test_a_death_between_order_and_job_leaves_neither(upgraded, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(services, "_count", die)
        with pytest.raises(KeyboardInterrupt):
            campaigns_advance()
    assert Campaign.objects.get().ended_at is None
    assert not Job.objects.filter(cause="campaign").exists()
    campaigns_advance()
    assert the_order().orders.get().campaign == Campaign.objects.get()


def test_only_the_newest_of_its_kind_may_take_it(upgraded, another_runner, beat):
    behind = another_runner("cpu-2")
    beat(behind, torch_version=OLD)
    campaigns_advance()
    refused = behind.claim(the_order())
    assert refused.status_code == 409
    assert "torch 2.9.1+cpu" in refused.json()["detail"]


def test_what_cannot_be_judged_is_tried_once_for_a_target(upgraded, runner):
    campaigns_advance()
    job = the_order()
    runner.claim(job)
    runner.complete(job, "failed", "no room on the disk")
    campaigns_advance()
    campaigns_advance()
    assert (Campaign.objects.get().ended_as, Job.objects.filter(cause="campaign").count()) == (
        "finished",
        1,
    )
    assert Order.objects.get().again is None


def test_nothing_is_ordered_where_no_machine_can_take_it(upgraded):
    Capability.objects.update(seen_at=timezone.now() - dt.timedelta(minutes=5))
    campaigns_advance()
    assert Campaign.objects.get().total == 1
    Capability.objects.update(seen_at=timezone.now() - dt.timedelta(days=30))
    campaigns_advance()
    assert Campaign.objects.get().ended_at is None
    assert not Job.objects.filter(cause="campaign").exists()


def test_a_newer_torch_overtakes_a_campaign(upgraded, runner, beat):
    campaigns_advance()
    beat(runner, torch_version="2.11.0")
    campaigns_advance()
    campaigns_advance()
    ends = Campaign.objects.order_by("pk").values_list("to_version", "ended_as")
    assert list(ends) == [(NEW, "overtaken"), ("2.11.0", "")]
    states = Job.objects.filter(cause="campaign").order_by("pk").values_list("state", flat=True)
    assert list(states) == ["failed", "queued"]


def test_a_new_suite_judges_what_has_no_place_under_it(judged, runner, beat, judge_again):
    judged(torch=NEW)
    beat(runner, torch_version=NEW, suite_version="2026.2")
    campaigns_advance()
    (row,) = listed()
    assert (row["reason"], row["from_versions"], row["to_version"]) == ("suite", "2026.1", "2026.2")
    judge_again(the_order(), torch=NEW, suite="norm.rms@1/2026.2")
    campaigns_advance()
    assert listed()[0]["ended_as"] == "finished"
    boards = Client().get("/api/v1/boards").json()["results"]
    assert {each["suite"] for each in boards} == {"norm.rms@1/2026.1", "norm.rms@1/2026.2"}


def test_by_hand_one_starts_and_stops_and_does_not_start_again(upgraded, capsys):
    campaigns_advance()
    number = str(Campaign.objects.get().pk)
    call_command("rejudge", "stop", number, "--because", "the cooling is broken")
    assert the_order().state == "failed"
    campaigns_advance()
    assert [row["ended_as"] for row in listed()] == ["stopped"]
    call_command("rejudge", "start", "cpu-test", "--because", "the cooling is mended")
    with pytest.raises(CommandError, match="live on cpu-test") as refusal:
        call_command("rejudge", "start", "cpu-test", "--because", "again")
    assert refusal.value.returncode == 2
    campaigns_advance()
    assert Job.objects.filter(cause="campaign", state="queued").count() == 1
    call_command("rejudge", "list")
    assert "asked on cpu-test  0 of 1  live: the cooling is mended" in capsys.readouterr().out
    for wrong in (["stop", "999", "--because", "x"], ["start", "moon", "--because", "x"]):
        with pytest.raises(CommandError):
            call_command("rejudge", *wrong)


def test_what_waits_for_a_person_or_may_not_run_is_left_alone(upgraded):
    run = Run.objects.get()
    Run.objects.update(held_reason="under the floor")
    campaigns_advance()
    assert listed() == []
    Run.objects.update(held_reason="")
    plugin = run.operator.release.plugin
    plugin.status, plugin.status_reason = "quarantined", "why"
    plugin.save()
    campaigns_advance()
    assert listed() == []


def waiting(number, *, author, priority="normal", route=("cpu", "")):
    return Waiting(id=number, author=author, route=route, priority=priority)


def test_the_hub_takes_nothing_of_anybodys_turn():
    again = [waiting(number, author=HUB, priority="low") for number in range(50)]
    fresh = [waiting(100 + number, author=7) for number in range(3)]
    order = {"at_work": {HUB: 4}, "slots": {("cpu", ""): 2}, "limit": 8}
    assert choose([*again, *fresh], **order) == [100, 101]
    # Its limit is full, and nobody else's is touched by it.
    assert choose([*again, *fresh], at_work={HUB: 8}, slots={("cpu", ""): 9}, limit=8) == [
        100,
        101,
        102,
    ]


def test_a_fresh_submission_goes_before_any_re_judgement(
    upgraded, ada, wheel_of, broker, settings, runner
):
    settings.JOBS_PER_AUTHOR = 1
    campaigns_advance()
    assert jobs_dispatch_waiting() == [the_order().pk]
    runner.claim(the_order())
    # The same author, whose only turn the hub's order would have taken.
    answer = ada.submit(wheel_of("acme-new"), "acme_new-1.0-py3-none-any.whl")
    fresh = Job.objects.get(submission=answer.json()["id"])
    assert jobs_dispatch_waiting() == [fresh.pk]


def test_taken_back_it_still_waits_behind_the_others(upgraded, runner):
    campaigns_advance()
    runner.claim(the_order())
    Job.objects.filter(cause="campaign").update(
        lease_expires_at=timezone.now() - dt.timedelta(seconds=1)
    )
    assert jobs_requeue_expired() == [the_order().pk]
    assert the_order().priority == "low"


def test_nobody_cancels_what_the_hub_ordered(upgraded, ada):
    campaigns_advance()
    job = the_order()
    answer = ada.client.post(
        f"/api/v1/submissions/{job.submission_id}/cancel",
        headers={"Authorization": f"Bearer {ada.token}"},
    )
    assert answer.status_code == 409
    assert the_order().state == "queued"
