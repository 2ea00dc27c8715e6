"""Who may review: by the ledger of roles first, by the file for whom no decision is recorded."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from dougong_registry.contributions import roles
from dougong_registry.contributions.models import Contribution, RoleAct
from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.forge.models import Event
from dougong_registry.forge.people import identity_of, person_of
from dougong_registry.forge.reviews import quorum
from dougong_registry.problem import Unavailable

AUTHOR, REVIEWER, SECOND, STRANGER = 5, 11, 12, 66


@pytest.fixture
def grant():
    """Record a role of somebody, as decided by another some days ago."""

    def act(forge_id, role, *, by=None, days=0, act="grant"):
        policy = policy_in_force()
        return RoleAct.objects.create(
            person=identity_of(forge_id, f"person-{forge_id}"),
            act=act,
            role=role,
            by=by,
            reason="shown to be able",
            policy_version=policy.version,
            policy_sha256=policy.sha256,
            at=timezone.now() - dt.timedelta(days=days),
        )

    return act


@pytest.fixture
def mia(config):
    """A maintainer by the ledger, of whom the file says nothing."""
    found = identity_of(STRANGER, "mia")
    roles.role_found(person=found, reason="runs this hub")
    return found


def events(kind):
    return list(Event.objects.filter(kind=kind).order_by("pk").values_list("actor_id", "detail"))


def change():
    return Contribution.in_force().get(kind="change")


def publish(hub, head, *people):
    hub.approve(*people, sha=head.sha)
    hub.merge()
    hub.go()
    hub.build()
    hub.go()
    head.refresh_from_db()
    assert head.state == "published"


def test_a_role_of_the_ledger_counts_without_the_file(hub, mia):
    roles.affiliation_state(person=mia, name="Initech")
    head = hub.to_review()
    hub.approve(STRANGER, sha=head.sha)
    assert quorum(head).approvers == [STRANGER]
    assert person_of(STRANGER).affiliation == "Initech"


def test_a_role_that_ended_is_none_whatever_the_file_says(hub, mia, grant):
    head = hub.to_review()
    hub.approve(REVIEWER, SECOND, sha=head.sha)
    assert quorum(head).met
    grant(REVIEWER, "reviewer", by=mia, days=1)
    assert quorum(head).approvers == [REVIEWER, SECOND]
    person = identity_of(REVIEWER, "ruth")
    roles.role_end(person=person, by=mia, reason="stepped down")
    assert quorum(head).approvers == [SECOND]
    hub.comment(REVIEWER, f"/dougong unblock {head.sha}")
    assert "for reviewers" in events("command.unblock")[-1][1]["refused"]


def test_a_role_that_rests_is_none(hub, mia, grant):
    grant(REVIEWER, "reviewer", by=mia, days=400)
    assert person_of(REVIEWER) is None


def test_a_member_may_rerun_and_approve_nothing(hub, mia, grant, plugin):
    grant(REVIEWER, "member", by=mia)
    head = hub.propose(plugin(license="mine"))
    hub.go()
    hub.comment(REVIEWER, "/dougong rerun")
    hub.comment(REVIEWER, f"/dougong unblock {head.sha}")
    hub.approve(REVIEWER, sha=head.sha)
    assert events("command.rerun")[0][1]["refused"] == ""
    assert "for reviewers" in events("command.unblock")[0][1]["refused"]
    assert quorum(head).approvers == []


def test_an_identity_of_another_provider_with_the_same_number_is_somebody_else(hub, mia):
    from dougong_registry.people.services import identity_ensure

    other = identity_ensure(login="eve", provider="local", external_id=str(REVIEWER))
    assert person_of(REVIEWER).role == "reviewer"
    assert other.pk != identity_of(REVIEWER, "ruth").pk


def test_who_reviewed_can_be_given_a_role(hub):
    """The first maintainer of a hub is named among those who are known to it."""
    head = hub.to_review()
    hub.approve(SECOND, STRANGER, sha=head.sha)
    from dougong_registry.people.models import Identity

    known = set(Identity.objects.filter(provider="github").values_list("external_id", flat=True))
    assert {str(REVIEWER), str(SECOND)} <= known
    assert str(STRANGER) not in known, "a passer-by is not written down"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reviewer_of_the_ledger_sets_the_level_with_a_comment(hub, mia, when):
    head = hub.to_review()
    if when == "before":
        hub.comment(STRANGER, "/dougong level L2 a new operator, and faster")
    publish(hub, head, STRANGER, SECOND)
    if when == "after":
        assert change().decided_by is None
        hub.comment(STRANGER, "/dougong level L2")
    row = change()
    assert (row.level, row.decided_by, row.person.external_id) == ("L2", mia, str(AUTHOR))
    assert {"kind": "commit", "id": head.sha} in row.evidence
    assert row.person.standing.points == 4


@pytest.mark.parametrize(
    ("person", "words", "why"),
    [
        (AUTHOR, "L2", "for reviewers"),
        (SECOND, "L2", "without an active role"),
        (STRANGER, "L9", "must be one of L1, L2, L3"),
        (STRANGER, "", "must be one of L1, L2, L3"),
    ],
)
def test_a_level_is_set_by_whom_the_ledger_lets(hub, mia, person, words, why):
    head = hub.to_review()
    hub.comment(person, f"/dougong level {words}")
    assert why in events("command.level")[0][1]["refused"]
    publish(hub, head, STRANGER, SECOND)
    assert (change().level, change().decided_by) == ("L2", None)


def test_nobody_sets_the_level_of_their_own(hub, mia):
    hub.to_review(author=STRANGER, login="mia")
    hub.comment(STRANGER, "/dougong level L3")
    assert "of their own" in events("command.level")[0][1]["refused"]


def test_a_higher_level_asks_for_its_approvals_and_a_lower_one_for_no_fewer(hub, mia):
    head = hub.to_review()
    hub.approve(STRANGER, SECOND, sha=head.sha)
    assert quorum(head).met
    hub.comment(STRANGER, "/dougong level L3")
    assert any("3 approvals by a maintainer" in each for each in quorum(head).missing)
    hub.comment(STRANGER, "/dougong level L1")
    assert quorum(head).needed == 2


def test_a_level_of_somebody_whose_role_ended_meanwhile_stays_a_suggestion(hub, mia, grant):
    ruth = grant(REVIEWER, "reviewer", by=mia, days=1).person
    head = hub.to_review()
    hub.comment(REVIEWER, "/dougong level L1")
    roles.role_end(person=ruth, by=mia, reason="stepped down")
    publish(hub, head, STRANGER, SECOND)
    assert (change().level, change().decided_by) == ("L2", None)
    assert "without an active role" in events("level.set")[0][1]["refused"]


def test_a_file_that_names_no_role_is_said(hub, config, tmp_path):
    (tmp_path / "people.toml").write_text('[[person]]\nid = 1\nrole = "king"\n')
    with pytest.raises(Unavailable, match="member, reviewer, maintainer, got 'king'"):
        person_of(1)
