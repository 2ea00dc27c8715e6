"""A stranger's pull request: checks, a reviewer, judge, approvals, merge, published, credited."""

from __future__ import annotations

import base64
import json

import pytest

from dougong_ci.report import signing
from dougong_registry.advisories.models import SigningKey
from dougong_registry.boards.models import Place
from dougong_registry.contributions.models import Contribution
from dougong_registry.forge.models import Event
from dougong_registry.forge.provenance import pae
from dougong_registry.plugins.models import Release
from dougong_registry.submissions.models import Job

AUTHOR, REVIEWER, SECOND, STRANGER = 5, 11, 12, 66


def listed(hub) -> bool:
    page = hub.client.get("/simple/acme-rms/", headers={"Accept": "text/html"})
    return "acme_rms-1.0" in page.content.decode()


def test_a_strangers_operator_gets_in(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    head.refresh_from_db()
    assert (head.state, head.plugin, head.level) == ("blocked", "acme-rms", "L2")
    assert head.unblock == ["first contribution of its author", "new plugin"]
    assert hub.check(head, "lint")["conclusion"] == "success"
    assert hub.check(head, "unblock")["conclusion"] == "action_required"
    assert not Release.objects.exists()

    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    assert hub.check(head, "build")["status"] == "in_progress"
    hub.build()
    hub.go()
    assert hub.check(head, "correctness")["status"] == "in_progress"
    hub.judge(head)
    hub.go()
    head.refresh_from_db()
    assert head.state == "review"
    assert hub.check(head, "speed")["conclusion"] == "success"
    assert "1.50x" in hub.summary()
    assert not listed(hub), "nothing is offered before it is merged"

    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.go()
    assert hub.check(head, "review")["conclusion"] == "success"
    assert not listed(hub)
    commit = hub.merge()
    hub.go()
    head.refresh_from_db()
    assert head.state == "publishing"
    hub.build()
    hub.go()
    head.refresh_from_db()
    assert head.state == "published"
    assert listed(hub)
    assert hub.check(head, "publish")["conclusion"] == "success"
    assert "is published" in hub.summary()

    (credited,) = Event.objects.filter(kind="credited")
    assert (credited.actor_id, credited.detail["level"]) == (AUTHOR, "L2")
    release = Release.objects.get()
    assert release.plugin.owner.external_id == str(AUTHOR)
    ledger = Contribution.objects.order_by("pk").values_list("person__external_id", "kind", "level")
    assert sorted(ledger) == sorted(
        [
            (str(AUTHOR), "change", "L2"),
            (str(REVIEWER), "review", ""),
            (str(SECOND), "review", ""),
        ]
    )

    answer = hub.client.get(f"/api/v1/artifacts/{release.artifact.sha256}/provenance").json()
    payload = base64.b64decode(answer["payload"])
    (signature,) = answer["signatures"]
    public = SigningKey.objects.get(key_id=signature["keyid"]).public_key
    assert signing.verify(pae(payload), signature["sig"], public)
    statement = json.loads(payload)
    assert statement["subject"][0]["digest"]["sha256"] == release.artifact.sha256
    sources = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert sources[0]["digest"]["gitCommit"] == commit
    internal = statement["predicate"]["buildDefinition"]["internalParameters"]
    assert internal["approved_by"] == [REVIEWER, SECOND]


def test_nothing_is_sent_where_nothing_changed(hub, forge):
    hub.to_review()
    before = len(forge.asked)
    hub.go()
    assert [row for row in forge.asked[before:] if row[0] != "GET"] == []


def test_a_second_head_takes_the_place_of_the_first_and_its_approvals(hub, forge, plugin, release):
    first = hub.to_review()
    hub.approve(REVIEWER, SECOND, sha=first.sha)
    hub.go()
    change = release(version="1.1")
    second = hub.propose(change)
    hub.go()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("superseded", "blocked")
    assert {each["state"] for each in forge.reviews[1]} == {"DISMISSED"}
    assert Event.objects.filter(head=first, kind="dismissed").count() == 2
    assert second.sha[:12] in hub.summary()


def test_a_version_that_was_judged_with_other_files_is_stopped_at_lint(hub, plugin):
    hub.to_review()
    second = hub.propose({"contrib/acme-rms/acme_rms/__init__.py": "def rms(x):\n    return +x\n"})
    hub.go()
    second.refresh_from_db()
    assert second.state == "rejected"
    assert "1.0 is sealed" in second.reason
    assert hub.check(second, "lint")["conclusion"] == "failure"


def places(name="acme/rms"):
    rows = Place.objects.filter(operator_name__name=name)
    return list(rows.values_list("version", "kind"))


def test_a_newer_version_takes_the_older_ones_place_once_it_is_merged(hub, release):
    first = hub.to_review()
    assert places() == [], "what is not merged has no place on a board"
    hub.approve(REVIEWER, SECOND, sha=first.sha)
    hub.merge()
    hub.go()
    hub.build()
    hub.go()
    before = places()
    assert {version for version, _ in before} == {"1.0"}
    hub.upstream.main = hub.upstream.git("rev-parse", "main")
    change = release(version="1.1")
    second = hub.propose(change, 2)
    hub.go()
    hub.build()
    hub.go()
    hub.judge(second)
    hub.go()
    assert places() == before, "nor does it take another's"
    hub.approve(REVIEWER, SECOND, sha=second.sha, number=2)
    hub.merge(2)
    hub.go()
    hub.build()
    hub.go()
    assert {version for version, _ in places()} == {"1.1"}


def test_merged_before_it_was_approved_it_waits_for_the_approvals(hub):
    head = hub.to_review()
    hub.merge()
    hub.go()
    head.refresh_from_db()
    assert head.state == "review"
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.go()
    hub.build()
    hub.go()
    head.refresh_from_db()
    assert head.state == "published"


def test_what_was_merged_must_be_what_was_judged(hub):
    head = hub.to_review()
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    evil = {"contrib/acme-rms/acme_rms/__init__.py": "import os\n"}
    commit = hub.upstream.commit("evil", evil, start="pull-1")
    hub.merge(commit=commit)
    hub.go()
    head.refresh_from_db()
    assert (head.state, listed(hub)) == ("quarantined", False)
    assert "what was merged is tree" in head.reason


def test_a_second_build_that_differs_is_not_published(hub):
    head = hub.to_review()
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.merge()
    hub.go()
    hub.build(data=b"other bytes")
    hub.go()
    head.refresh_from_db()
    assert (head.state, listed(hub)) == ("quarantined", False)
    assert hub.check(head, "publish")["conclusion"] == "failure"


def test_a_rejected_operator_is_not_published_even_if_merged(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    hub.build()
    hub.go()
    hub.judge(head, outcome="failed", code="SLOWER")
    hub.go()
    head.refresh_from_db()
    assert head.state == "rejected"
    assert "SLOWER" in head.reason
    assert hub.check(head, "speed")["conclusion"] == "failure"
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.merge()
    hub.go()
    assert not listed(hub)


def test_a_reviewer_who_thinks_better_of_it_stops_the_publication(hub):
    head = hub.to_review()
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.merge()
    hub.go()
    hub.approve(SECOND, sha=head.sha, state="CHANGES_REQUESTED")
    hub.build()
    hub.go()
    head.refresh_from_db()
    assert (head.state, listed(hub)) == ("review", False)
    hub.approve(SECOND, sha=head.sha)
    hub.go()
    head.refresh_from_db()
    assert (head.state, listed(hub)) == ("published", True)


def test_a_busy_machine_decides_nothing(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    hub.build()
    hub.go()
    hub.judge(head, outcome="inconclusive", code="INCONCLUSIVE_NOISE")
    hub.go()
    head.refresh_from_db()
    assert head.state == "judging"
    assert hub.check(head, "correctness")["conclusion"] == "success"
    assert hub.check(head, "speed")["status"] == "in_progress"
    retry = Job.objects.get(submission=head.submission, retry=1)
    assert hub.runner.claim(retry).status_code == 200
    verdict = hub.verdict(retry, "acme/rms", head)
    assert hub.runner.send(retry, verdict).status_code == 201
    assert hub.runner.complete(retry).status_code == 200
    hub.go()
    head.refresh_from_db()
    assert head.state == "review"
    assert hub.check(head, "speed")["conclusion"] == "success"


@pytest.mark.parametrize(("outcome", "state"), [("failed", "rejected"), ("errored", "errored")])
def test_a_build_without_a_wheel_says_why(hub, plugin, outcome, state):
    head = hub.propose(plugin())
    hub.go()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    hub.build(outcome=outcome, reason="no `such` backend")
    hub.go()
    head.refresh_from_db()
    assert (head.state, head.reason) == (state, "no `such` backend")
    assert hub.check(head, "build")["conclusion"] == "failure"


def test_a_forge_that_is_down_is_asked_again(hub, forge, plugin):
    head = hub.propose(plugin())
    forge.down = 2
    from dougong_registry.problem import Unavailable

    with pytest.raises(Unavailable):
        hub.go()
    hub.go()
    head.refresh_from_db()
    assert head.state == "blocked"
    assert hub.check(head, "lint")["conclusion"] == "success"
