"""What became worse is told to its maintainers until it is mended."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from dougong_registry.audit.models import Entry
from dougong_registry.campaigns.tasks import campaigns_advance
from dougong_registry.notices.models import Notice
from dougong_registry.runs import services
from dougong_registry.submissions.models import Job

ATOM = "{http://www.w3.org/2005/Atom}"
PAGES = ("/notices/", "/operators/acme/rms/", "/plugins/acme-rms/")


@pytest.fixture
def worse(judged):
    """A release that is slower than the one before it."""
    return judged(faster=1.5), judged("1.1", faster=1.2)


def told(**query):
    return Client().get("/api/v1/notices", query).json()["results"]


def acknowledge(client, number, token, **headers):
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return client.post(f"/api/v1/notices/{number}/acknowledge", headers=headers)


def test_a_slower_run_opens_one_notice_with_both_runs_and_by_how_much(worse):
    before, after = worse
    (row,) = told()
    assert (row["state"], row["plugin"], row["operator"]) == ("open", "acme-rms", "acme/rms")
    assert (row["from_run_id"], row["to_run_id"]) == (before.verdict_id, after.verdict_id)
    assert row["words"].startswith("1.50x [")
    assert "1.20x [" in row["words"]
    for page in PAGES:
        assert row["words"] in Client().get(page).content.decode()
    (entry,) = ET.fromstring(Client().get("/feeds/notices.atom").content).findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "acme/rms became worse on cpu-test (open)"
    assert Entry.objects.filter(verb="notice.opened").count() == 1


def test_as_fast_as_before_is_no_news(judged):
    judged()
    judged("1.1")
    assert told() == []


def test_worse_still_is_the_same_notice_and_mended_closes_it(worse, judged):
    judged("1.2", faster=1.0)
    (row,) = told()
    assert row["to_run_id"] == worse[1].verdict_id
    mended = judged("1.3", faster=1.5)
    (row,) = told(state="closed")
    assert row["closing_run_id"] == mended.verdict_id
    assert told(state="open") == []
    assert "became worse" not in Client().get("/operators/acme/rms/").content.decode()
    judged("1.4", faster=1.1)
    assert [each["state"] for each in told()] == ["open", "closed"]


def test_a_run_a_little_better_mends_nothing(worse, judged):
    judged("1.2", faster=1.3)
    assert [each["state"] for each in told()] == ["open"]


def test_a_re_run_that_no_longer_passes_is_told_and_so_is_a_slow_return(
    judged, runner, beat, judge_again
):
    judged()
    for torch, how in (
        ("2.10.0", {"outcome": "failed", "code": "REJECTED_ACCURACY"}),
        ("2.11.0", {"faster": 1.2}),
    ):
        beat(runner, torch_version=torch)
        campaigns_advance()
        judge_again(Job.objects.get(cause="campaign", state="queued"), torch=torch, **how)
        campaigns_advance()
    slow, failed = told()
    assert (failed["words"], failed["state"]) == ("passed before, failed now", "closed")
    assert (slow["dtype"], slow["mode"], slow["state"]) == ("float32", "infer", "open")
    assert slow["from_run_id"] == failed["from_run_id"]


def test_the_owner_says_that_it_was_seen_and_nobody_else_can(worse, ada, another_submitter):
    number = told()[0]["id"]
    assert acknowledge(Client(), number, "").status_code == 401
    assert acknowledge(Client(), number, another_submitter("bob").token).status_code == 403
    assert acknowledge(Client(), 999_999, ada.token).status_code == 404
    assert told()[0]["state"] == "open"
    once = {"Idempotency-Key": "seen"}
    answer = acknowledge(Client(), number, ada.token, **once)
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
    assert answer.json()["acknowledged_by"] == "ada"
    assert acknowledge(Client(), number, ada.token, **once).json() == answer.json()
    assert acknowledge(Client(), number, ada.token).json() == answer.json()
    assert Entry.objects.filter(verb="notice.acknowledged").count() == 1
    assert "acknowledged" in Client().get("/notices/?state=acknowledged").content.decode()


def test_one_that_is_mended_needs_nobody(worse, judged, ada):
    number = told()[0]["id"]
    judged("1.2", faster=1.5)
    assert acknowledge(Client(), number, ada.token).status_code == 409


def test_lists_are_narrowed_and_refuse_what_is_no_state(worse):
    assert len(told(plugin="acme-rms", operator="acme/rms", state="open")) == 1
    assert told(plugin="other") == []
    assert Client().get("/api/v1/notices?state=lost").status_code == 400
    assert Client().get("/notices/?state=lost").status_code == 200


def test_a_run_that_is_not_recorded_leaves_no_notice(judged, judge_again, monkeypatch, ada):
    judged()

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "refresh", die)
    with pytest.raises(KeyboardInterrupt):
        judged("1.1", faster=1.2)
    assert not Notice.objects.exists()
