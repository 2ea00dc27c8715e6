"""`/dougong rerun`, `unblock` and `hold`: by whom they may be said, and what is kept of them."""

from __future__ import annotations

import pytest

from dougong_registry.forge.commands import command_take
from dougong_registry.forge.models import Event
from dougong_registry.forge.reviews import quorum
from dougong_registry.forge.webhooks.payloads import comment_facts

AUTHOR, REVIEWER, SECOND, STRANGER = 5, 11, 12, 66


@pytest.fixture
def blocked(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    return head


def said(kind):
    return list(Event.objects.filter(kind=f"command.{kind}").values_list("actor_id", "detail"))


@pytest.mark.parametrize(
    ("person", "words", "why"),
    [
        (STRANGER, "SHA", "for reviewers"),
        (AUTHOR, "SHA", "for reviewers"),
        (REVIEWER, "", "name the commit"),
        (REVIEWER, "0000000", "name the commit"),
        (REVIEWER, "SHA".lower(), "name the commit"),
    ],
)
def test_unblock_is_for_a_reviewer_who_names_the_commit(hub, blocked, person, words, why):
    hub.comment(person, f"/dougong unblock {words.replace('SHA', blocked.sha)}")
    hub.go()
    blocked.refresh_from_db()
    assert blocked.state == "blocked"
    ((actor, detail),) = said("unblock")
    assert actor == person
    assert why in detail["refused"]


def test_a_reviewer_cannot_unblock_or_approve_their_own(hub, plugin):
    head = hub.propose(plugin(), author=REVIEWER, login="ruth")
    hub.go()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha}")
    hub.approve(REVIEWER, sha=head.sha)
    hub.go()
    head.refresh_from_db()
    assert head.state == "blocked"
    assert quorum(head).approvers == []
    assert "of their own" in said("unblock")[0][1]["refused"]


def test_a_rerun_begins_another_round_of_the_same_head(hub, plugin):
    head = hub.propose(plugin(license="mine"))
    hub.go()
    hub.comment(STRANGER, "/dougong rerun")
    hub.go()
    head.refresh_from_db()
    assert (head.state, head.round) == ("rejected", 1)
    hub.comment(AUTHOR, "/dougong rerun\nplease")
    hub.go()
    head.refresh_from_db()
    assert (head.state, head.round) == ("rejected", 2)
    assert [bool(detail["refused"]) for _, detail in said("rerun")] == [True, False]


def test_what_goes_well_is_not_rerun(hub, blocked):
    hub.comment(AUTHOR, "/dougong rerun")
    assert "is blocked" in said("rerun")[0][1]["refused"]


def test_a_hold_stops_the_publication_until_it_is_lifted(hub):
    head = hub.to_review()
    hub.comment(SECOND, "/dougong hold wait for the paper")
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    hub.merge()
    hub.go()
    head.refresh_from_db()
    assert head.state == "review"
    assert "wait for the paper" in hub.check(head, "review")["output"]["title"]
    assert "wait for the paper" in hub.summary()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    head.refresh_from_db()
    assert head.state == "publishing"


@pytest.mark.parametrize(
    "body",
    [
        "please /dougong rerun",
        "/dougong",
        "/dougong rerun now\x0bthen",
        "/dougong merge",
        "> /dougong hold",
    ],
)
def test_other_words_are_no_commands(hub, blocked, body):
    hub.comment(REVIEWER, body)
    if "now" not in body:
        assert not Event.objects.filter(kind__startswith="command.").exists()


def test_a_comment_is_a_command_once(hub, forge, blocked):
    comment = forge.say(1, REVIEWER, "/dougong hold")
    facts = comment_facts(comment, forge.repository_id, 1)
    assert [command_take(facts) for _ in range(3)] == [True, False, False]


def test_an_edited_comment_is_no_command(hub, forge, blocked):
    comment = forge.say(1, REVIEWER, f"/dougong unblock {blocked.sha}")
    comment["updated_at"] = "2030-01-01T00:00:00Z"
    assert not command_take(comment_facts(comment, forge.repository_id, 1))


def test_a_quorum_counts_people_once_and_objections(hub):
    head = hub.to_review()
    hub.approve(REVIEWER, REVIEWER, STRANGER, sha=head.sha)
    assert quorum(head).missing == ["1 of 2 approvals by a reviewer"]
    hub.approve(SECOND, sha=head.sha)
    assert quorum(head).met
    hub.approve(SECOND, sha=head.sha, state="CHANGES_REQUESTED")
    assert not quorum(head).met
    head.level = "L3"
    missing = quorum(head).missing
    assert any("affiliations" in each for each in missing)
    assert any("7 days" in each for each in missing)
