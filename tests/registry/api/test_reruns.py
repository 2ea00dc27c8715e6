"""Runs are checked by second ones: whoever leads a board, and a sample of each week."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import verify
from dougong_registry.boards.selectors.standings import CONFIRMING
from dougong_registry.reruns import drawing, services
from dougong_registry.reruns.choosing import digest
from dougong_registry.reruns.models import Draw, Rerun
from dougong_registry.reruns.tasks import reruns_advance
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Job

LONG_AGO = timezone.now() - dt.timedelta(hours=2)


@pytest.fixture
def leading(judged, aged):
    """A run that leads its board, two hours old, in a week that was drawn before it."""
    drawing.draw_week()
    run = judged()
    aged(Run.objects.all(), recorded_at=LONG_AGO)
    return run


def rows():
    return Client().get("/api/v1/boards/norm.rms@1").json()["rows"]


def order():
    return Job.objects.get(cause="check", state="queued")


def shown():
    return Client().get("/api/v1/reruns").json()["results"]


def test_who_leads_is_unconfirmed_until_a_second_run_agrees(leading, judge_again):
    assert rows()[0]["confirming"] == CONFIRMING
    assert CONFIRMING in Client().get("/boards/norm.rms@1/").content.decode()
    reruns_advance()
    assert order().priority == "low"
    second = judge_again(order())
    assert (rows()[0]["run_id"], rows()[0]["confirming"]) == (second.verdict_id, "")
    (row,) = shown()
    assert (row["cause"], row["result"]) == ("first_place", "agrees")
    assert (row["first_run_id"], row["second_run_id"]) == (leading.verdict_id, second.verdict_id)
    reruns_advance()
    assert Rerun.objects.count() == 1
    assert Client().get("/api/v1/boards").json()["results"][0]["leader_confirmed"] is not False


def test_who_disagrees_with_itself_loses_its_place_and_the_log_says_why(leading, judge_again):
    reruns_advance()
    second = judge_again(order(), faster=1.2)
    assert Client().get("/api/v1/boards").json()["results"] == []
    (held,) = Client().get("/api/v1/boards/norm.rms@1").json()["unranked"]
    assert (held["kind"], held["run_id"]) == ("held", second.verdict_id)
    said = f"a second run disagrees with {leading.verdict_id}: 1.50x"
    assert held["reason"].startswith(said)
    for page in ("/boards/norm.rms@1/", "/operators/acme/rms/", f"/runs/{second.verdict_id}/"):
        assert said in Client().get(page).content.decode()
    assert "disagrees" in Client().get("/rejudging/").content.decode()
    entry = Entry.objects.get(verb="run.held")
    assert entry.target == second.verdict_id
    assert "1.50x" in entry.payload
    assert verify().broken_at is None
    reruns_advance()
    assert not Job.objects.filter(cause="check", state="queued").exists()


def test_a_lead_is_asked_about_once_it_lasted(judged):
    drawing.draw_week()
    judged()
    reruns_advance()
    assert shown() == []


def test_asked_twice_at_once_it_is_ordered_once(leading):
    for _ in range(2):
        services.first_places_order()
        services.reruns_advance()
    assert Job.objects.filter(cause="check").count() == Rerun.objects.count() == 1


def test_a_death_before_the_order_is_made_good_later(leading, monkeypatch):
    def die(**_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(services, "job_again", die)
        with pytest.raises(KeyboardInterrupt):
            reruns_advance()
    assert Rerun.objects.get().job is None
    reruns_advance()
    assert Rerun.objects.get().job == order()


def test_runs_by_different_torch_are_not_compared(leading, judge_again):
    reruns_advance()
    judge_again(order(), torch="2.10.0", faster=1.2)
    (row,) = shown()
    assert row["result"] == "incomparable"
    assert row["words"] == "torch 2.9.1 judged the first, 2.10.0 the second"
    assert rows()[0]["confirming"] == CONFIRMING


def test_a_check_that_tells_nothing_is_dropped_and_asked_again_a_few_times(leading, runner):
    for _ in range(2 * services.FIRST_PLACE_TRIES + 2):
        reruns_advance()
        for job in Job.objects.filter(cause="check", state="queued"):
            runner.claim(job)
            runner.complete(job, "failed", "no room on the disk")
    assert Rerun.objects.count() == services.FIRST_PLACE_TRIES
    assert {row["result"] for row in shown()} == {"dropped"}
    assert "no room on the disk" in shown()[0]["words"]


def test_what_is_no_longer_in_force_need_not_be_checked(leading, judged):
    services.first_places_order()
    judged("1.1")
    services.reruns_advance()
    (row,) = shown()
    assert (row["result"], row["words"]) == (
        "dropped",
        "a later run took its place before it was checked",
    )


@pytest.fixture
def sampled(judged, aged):
    """One run, in force since before the week's sample was drawn."""
    run = judged()
    aged(Run.objects.all(), recorded_at=LONG_AGO)
    return run


def test_a_weeks_sample_is_drawn_once_and_comes_out_the_same_again(sampled, capsys, judge_again):
    draw = drawing.draw_week()
    assert drawing.draw_week() is None
    assert draw.population == 1
    fixed, drawn = Entry.objects.filter(verb__startswith="sample.").order_by("seq")
    # The seed is the hash of the entry that fixed what was drawn from.
    assert draw.seed == fixed.hash
    assert draw.population_sha256 in fixed.payload
    assert digest([sampled.verdict_id]) in drawn.payload
    services.reruns_advance()
    judge_again(order())
    (row,) = shown()
    assert (row["cause"], row["week"], row["result"]) == ("sample", draw.week, "agrees")
    # The run was replaced since; who draws again finds what was there then.
    call_command("sample", "verify")
    assert f"{draw.week}  1 of 1 runs" in capsys.readouterr().out


def test_a_sample_that_was_tampered_with_does_not_verify(sampled, aged):
    draw = drawing.draw_week()
    aged(Draw.objects.all(), seed="f" * 64)
    with pytest.raises(CommandError, match="no entry of the audit log"):
        call_command("sample", "verify")
    aged(Draw.objects.all(), seed=draw.seed)
    aged(Run.objects.all(), recorded_at=timezone.now())
    with pytest.raises(CommandError, match="are others now"):
        call_command("sample", "verify")


def test_a_share_of_nothing_draws_nothing(sampled, settings):
    settings.DOUGONG_AUDIT_SHARE = 0.0
    assert drawing.draw_week() is None
    assert not Entry.objects.filter(verb__startswith="sample.").exists()


def test_what_is_stale_waits_for_its_campaign(leading, runner, beat, judged):
    beat(runner, torch_version="2.10.0")
    reruns_advance()
    assert not Job.objects.filter(cause="check").exists()
    assert shown()[0]["result"] == ""
    judged("1.1", torch="2.10.0")
    services.reruns_advance()
    assert shown()[0]["result"] == "dropped"
