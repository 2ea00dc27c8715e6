"""The ledger and the decisions about roles, through their services."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from dougong_registry.audit.models import Entry
from dougong_registry.contributions.digests import digest
from dougong_registry.contributions.models import Contribution, Month, RoleAct, Standing
from dougong_registry.contributions.months import month_of, months_rebuild
from dougong_registry.contributions.policy import MONTH, policy_in_force
from dougong_registry.contributions.roles import (
    affiliation_state,
    role_end,
    role_found,
    role_grant,
    role_restore,
    sponsor_add,
)
from dougong_registry.contributions.services import (
    contribution_record,
    contribution_void,
    level_confirm,
)
from dougong_registry.contributions.standings import standings_rebuild, standings_refresh
from dougong_registry.contributions.tasks import standings_refresh as every_day
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused

SHOWN = [{"kind": "url", "id": "https://example.org/review"}]


def standing(person):
    return Standing.objects.get(person=person)


def kept():
    """What is kept of people and months, but for when it was computed."""
    people = Standing.objects.order_by("person").values()
    months = Month.objects.order_by("month").values()
    gone = {"id", "decided_at"}
    return [
        {name: value for name, value in row.items() if name not in gone}
        for row in (*people, *months)
    ]


def test_a_record_says_who_what_and_where_to_look(community):
    row = community.record(community.ada, summary="A fix.", decided_by=community.mia)
    assert (row.level, row.policy_version) == ("L1", "2026.1")
    entry = Entry.objects.latest("seq")
    assert (entry.actor, entry.verb, entry.target) == (
        "local:mia",
        "contribution.recorded",
        row.source,
    )
    assert json.loads(entry.payload)["sha256"] == digest(row)
    assert standing(community.ada).role == "contributor"
    assert standing(community.ada).points == 1


def test_the_same_source_again_is_the_same_record(community):
    row = community.record(community.ada, source="forge:org/name#1")
    assert community.record(community.ada, source="forge:org/name#1", level="L3") == row
    assert Contribution.objects.count() == 1
    assert Entry.objects.filter(verb="contribution.recorded").count() == 1


def test_a_level_is_confirmed_by_a_later_record(community):
    old = community.record(community.ada, level="L3", summary="New norm.")
    new = level_confirm(
        contribution_id=old.pk, level="L2", decided_by=community.mia, evidence=SHOWN
    )
    assert (new.level, new.summary, new.replaces) == ("L2", "New norm.", old)
    assert new.evidence == [*old.evidence, *SHOWN]
    assert standing(community.ada).points == 4
    assert standing(community.ada).contributions == 1
    with pytest.raises(Conflict, match="not in force"):
        level_confirm(contribution_id=old.pk, level="L1", decided_by=community.mia, evidence=SHOWN)


def test_what_is_taken_back_stays_and_says_why(community):
    old = community.record(community.ada)
    contribution_void(contribution_id=old.pk, by=community.mia, reason="reverted in #9")
    assert standing(community.ada).role == ""
    assert standing(community.ada).points == 0
    assert Contribution.objects.get(pk=old.pk).replaced_by.summary == "reverted in #9"
    with pytest.raises(Conflict):
        contribution_void(contribution_id=old.pk, by=community.mia, reason="again")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "void", "level": ""}, "kind must be one of"),
        ({"kind": "change", "level": ""}, "a change has a level of L1, L2, L3"),
        ({"kind": "change", "level": "L4"}, "a change has a level of L1, L2, L3"),
        ({"kind": "triage", "level": "L1"}, "nothing else has one"),
        ({"kind": "review"}, "says whose change it was"),
        ({"kind": "review", "about": "ada"}, "nobody reviews a change of their own"),
        ({"evidence": []}, "evidence is a list"),
        ({"evidence": [{"kind": "run"}]}, "evidence is a list"),
        ({"evidence": [{"kind": "run", "id": ""}]}, "evidence is a list"),
        ({"months": -1}, "which is to come"),
        ({"opened_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "after it happened"),
        ({"summary": "x" * 513}, "summary"),
        ({"decided_by": "ada"}, "nobody reviews a change of their own or sets its level"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_leaves_nothing(community, fields, said):
    people = {name: community.person("ada") for name in ("about", "decided_by") if name in fields}
    with pytest.raises(Refused, match=said):
        community.record(community.ada, **{**fields, **people})
    assert not Contribution.objects.exists()
    assert not Standing.objects.filter(person=community.ada).exists()


def test_levels_are_set_by_others_whose_role_allows_it(community):
    row = community.record(community.ada)
    with pytest.raises(Forbidden, match="somebody else"):
        level_confirm(contribution_id=row.pk, level="L1", decided_by=community.ada, evidence=SHOWN)
    with pytest.raises(Forbidden, match="ben is without an active role"):
        level_confirm(contribution_id=row.pk, level="L1", decided_by=community.ben, evidence=SHOWN)
    with pytest.raises(Forbidden, match="ben is without"):
        community.record(community.ada, decided_by=community.ben)
    with pytest.raises(Refused, match="level must be one of"):
        level_confirm(contribution_id=row.pk, level="L9", decided_by=community.mia, evidence=SHOWN)
    with pytest.raises(Refused, match="needs evidence"):
        level_confirm(contribution_id=row.pk, level="L1", decided_by=community.mia, evidence=[])
    with pytest.raises(Refused, match="needs a reason"):
        contribution_void(contribution_id=row.pk, by=community.mia, reason=" ")
    with pytest.raises(Forbidden, match="somebody else takes it back"):
        contribution_void(contribution_id=row.pk, by=community.ada, reason="why")
    with pytest.raises(Missing):
        contribution_void(contribution_id=row.pk + 1, by=community.mia, reason="why")
    assert Contribution.objects.count() == 1


def test_the_database_itself_refuses_to_decide_about_oneself(community):
    row = community.record(community.ada)
    copied = {
        f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields if f.attname != "id"
    }
    for values in ({"decided_by_id": row.person_id}, {"about_id": row.person_id}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Contribution.objects.create(**{**copied, "source": "another", **values})
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleAct.objects.create(
            person=community.ada,
            by=community.ada,
            act="grant",
            role="maintainer",
            reason="why",
            policy_version="2026.1",
            policy_sha256=policy_in_force().sha256,
        )


def eligible(community, person="ada", role="member"):
    """Somebody with five changes confirmed, and a sponsor."""
    person = community.person(person)
    for number in range(5):
        community.record(person, decided_by=community.mia, months=2 + number / 10)
    affiliation_state(person=community.mia, name="Acme")
    sponsor_add(person=person, sponsor=community.mia, role=role, reason="good work")
    return person


def test_evidence_makes_eligible_and_a_decision_makes_a_member(community):
    ada = eligible(community)
    assert (standing(ada).role, standing(ada).eligible_for) == ("contributor", "member")
    act = role_grant(person=ada, role="member", by=community.mia, reason="five fixes")
    assert (standing(ada).role, standing(ada).standing) == ("member", "active")
    assert (act.policy_version, act.policy_sha256) == ("2026.1", policy_in_force().sha256)
    contributions, sponsorships = (each["ids"] for each in act.evidence)
    assert len(contributions) == 5
    assert len(sponsorships) == 1
    entry = Entry.objects.latest("seq")
    assert (entry.verb, entry.target, entry.actor) == ("role.grant", "local:ada", "local:mia")


def test_nobody_is_given_what_they_are_not_eligible_for(community):
    community.record(community.ada, decided_by=community.mia)
    with pytest.raises(Conflict, match="points: 1 of 5"):
        role_grant(person=community.ada, role="member", by=community.mia, reason="friend")
    eligible(community, "ben")
    with pytest.raises(Conflict, match="not eligible for maintainer"):
        role_grant(person=community.ben, role="maintainer", by=community.mia, reason="friend")
    with pytest.raises(Refused, match="roles that are granted"):
        role_grant(person=community.ben, role="contributor", by=community.mia, reason="why")
    with pytest.raises(Forbidden, match="cannot decide about their own"):
        role_grant(person=community.mia, role="member", by=community.mia, reason="why")
    with pytest.raises(Forbidden, match="one must be maintainer"):
        role_grant(person=community.ben, role="member", by=community.ada, reason="why")
    with pytest.raises(Refused, match="needs a reason"):
        role_grant(person=community.ben, role="member", by=community.mia, reason="")


def test_sponsors_speak_for_others_once_and_with_a_role(community):
    with pytest.raises(Forbidden, match="cannot decide about their own"):
        sponsor_add(person=community.mia, sponsor=community.mia, role="member", reason="me")
    with pytest.raises(Forbidden, match="to sponsor a member one must be reviewer"):
        sponsor_add(person=community.ada, sponsor=community.ben, role="member", reason="why")
    with pytest.raises(Refused, match="roles that have sponsors"):
        sponsor_add(person=community.ada, sponsor=community.mia, role="contributor", reason="why")
    with pytest.raises(Refused, match="has a name"):
        affiliation_state(person=community.mia, name="  ")
    affiliation_state(person=community.mia, name="Acme")
    first = sponsor_add(person=community.ada, sponsor=community.mia, role="member", reason="why")
    affiliation_state(person=community.mia, name="Initech")
    again = sponsor_add(person=community.ada, sponsor=community.mia, role="member", reason="why")
    assert first == again
    assert (first.affiliation, first.sponsor_role) == ("Acme", "maintainer")


def test_the_first_maintainer_is_named_once(community):
    with pytest.raises(Conflict, match="mia is maintainer"):
        role_found(person=community.ada, reason="coup")


def test_a_role_rests_with_time_and_comes_back(community, aged):
    ada = eligible(community)
    role_grant(person=ada, role="member", by=community.mia, reason="why")
    with pytest.raises(Conflict, match="no role that rests"):
        role_restore(person=ada, by=community.mia, reason="why")
    aged(RoleAct.objects.filter(person=ada), at=community.ago(20))
    aged(Contribution.objects.filter(person=ada), occurred_at=community.ago(20))
    every_day()
    assert (standing(ada).role, standing(ada).standing) == ("member", "emeritus")
    with pytest.raises(Forbidden, match="ada is without an active role"):
        role_end(person=community.mia, by=ada, reason="why")
    role_restore(person=ada, by=community.mia, reason="is back")
    assert standing(ada).standing == "active"
    role_end(person=ada, by=community.mia, reason="steps down")
    assert standing(ada).role == "contributor"
    with pytest.raises(Conflict, match="no role that was granted"):
        role_end(person=ada, by=community.mia, reason="again")


def test_what_is_kept_is_what_the_ledger_says(community):
    community.record(community.ada, months=5, thread="forge:1", opened_at=community.ago(6.5))
    community.record(community.ben, "review", about=community.ada, months=6, thread="forge:1")
    community.record(community.ben, "triage", months=6.2, thread="forge:1")
    first = community.record(community.ben, months=9)
    level_confirm(contribution_id=first.pk, level="L2", decided_by=community.mia, evidence=SHOWN)
    community.record(community.ada, months=14)
    gone = community.record(community.ben, "report", months=15)
    contribution_void(contribution_id=gone.pk, by=community.mia, reason="a duplicate")
    community.record(community.ada, months=5, thread="forge:2", opened_at=community.ago(8.5))
    answer = community.record(community.ben, "triage", months=7, thread="forge:2")
    contribution_void(contribution_id=answer.pk, by=community.mia, reason="by a machine")
    step_by_step = kept()
    for rebuilt in (standings_rebuild(), months_rebuild()):
        list(rebuilt)
    assert kept() == step_by_step
    assert not Month.objects.filter(month=month_of(community.ago(15))).exists()


def test_a_month_says_who_waited_how_long_and_on_whom_it_rests(community):
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    day = dt.timedelta(days=1)
    people = [community.person(f"p{number}") for number in range(4)]
    community.record(people[0], occurred_at=at - 40 * day)
    for number, person in enumerate(people[:3]):
        opened = at + number * day
        community.record(
            person,
            occurred_at=opened + (number + 1) * day,
            opened_at=opened,
            thread=f"forge:{number}",
        )
        community.record(  # answering oneself is no answer
            person, "triage", occurred_at=opened + day / 24, thread=f"forge:{number}"
        )
        community.record(
            people[3],
            "review",
            about=person,
            occurred_at=opened + (number + 1) * day / 2,
            thread=f"forge:{number}",
        )
    row = Month.objects.get(month=at.date())
    assert (row.changes, row.reviews, row.triages, row.reports) == (3, 3, 3, 0)
    assert (row.people_new, row.people_returning) == (3, 1)
    assert (row.responses, row.response_median_s) == (3, 86400.0)
    assert (row.reviewed, row.review_median_s) == (3, 2 * 86400.0)
    # Nine things were done: three by one, two by each of the others.
    assert row.absence_factor == 2


def test_the_ledger_is_only_added_to(community):
    community.record(community.ada)
    for sql in (
        "UPDATE contributions_contribution SET level = 'L3'",
        "DELETE FROM contributions_contribution",
        "UPDATE contributions_roleact SET role = 'member'",
        "DELETE FROM contributions_roleact",
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            connection.cursor().execute(sql)


def test_commands_decide_in_the_name_of_somebody(community, capsys):
    row = community.record(community.ada, level="L3")
    with pytest.raises(CommandError, match="ben is without"):
        call_command("contribution", "void", row.pk, by="ben", reason="why")
    call_command("contribution", "confirm", row.pk, "L2", by="mia", evidence=["run:7f3a"])
    new = Contribution.objects.latest("pk")
    assert (new.level, new.evidence[-1]) == ("L2", {"kind": "run", "id": "7f3a"})
    call_command("contribution", "void", new.pk, by="mia", reason="reverted")
    call_command("role", "show", "ada")
    assert "missing for contributor: contributions: 0 of 1" in capsys.readouterr().out
    eligible(community)
    call_command("role", "grant", "local:ada", "member", by="mia", reason="good")
    call_command("role", "affiliate", "ada", "Acme")
    assert "ada: member active" in capsys.readouterr().out
    call_command("role", "end", "ada", by="mia", reason="steps down")
    community.person("x")
    with pytest.raises(CommandError, match="nobody is known as 'eve'"):
        call_command("role", "show", "eve")
    with pytest.raises(CommandError, match="mia is maintainer"):
        call_command("role", "found", "ada", reason="coup")


def test_a_person_of_many_records_costs_as_many_queries_as_one_of_few(community):
    community.record(community.ada)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            standings_refresh([community.ada.pk, community.ben.pk, community.mia.pk])
        counts.append(len(captured))
        for number in range(5):
            community.record(community.ada, decided_by=community.mia, months=number)
    assert counts[0] == counts[1] <= 10


def test_recording_needs_no_months_of_work(community):
    """`months_touched` refreshes few months however long somebody has been here."""
    for number in range(12):
        community.record(community.ada, months=number + 1)
    before = set(Month.objects.values_list("pk", flat=True))
    contribution_record(
        person=community.ada,
        kind="triage",
        source="late",
        occurred_at=community.now - 3 * MONTH,
        evidence=SHOWN,
    )
    assert set(Month.objects.values_list("pk", flat=True)) == before
