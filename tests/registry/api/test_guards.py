"""Attempts to rewrite what stands, by plain SQL: the database itself must refuse each."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from dougong_registry.advisories.services import advisory_publish
from dougong_registry.campaigns.models import Campaign, Order
from dougong_registry.contributions.roles import affiliation_state, role_found, sponsor_add
from dougong_registry.forge.models import Build, Head, Pull
from dougong_registry.guards.install import install
from dougong_registry.guards.rules import GUARDS, Guard
from dougong_registry.moderation.models import Action
from dougong_registry.moderation.services import action_propose
from dougong_registry.notices.models import Notice
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Release
from dougong_registry.publishing.models import Publisher
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.models import Lesson, Run, Runner
from dougong_registry.storage.models import Location
from dougong_registry.submissions.models import Job

DELETES = [guard for guard in GUARDS if guard.event == "delete"]
UPDATES = [guard for guard in GUARDS if guard.event == "update"]


@pytest.fixture
def published(ada, runner, job, verdict_of, upkeep, pull, exchanged):
    """One plugin all the way to the index and back, so that every guarded table has a row."""
    runner.claim(job)
    runner.discover(job)
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert runner.complete(job).status_code == 200
    uri = f"hf://datasets/acme/artifacts@{'0' * 40}/file"
    Location.objects.create(artifact=job.submission.release.artifact, uri=uri)
    advisory_publish(
        plugin="acme-rms",
        versions="*",
        kind="malware",
        severity="critical",
        summary="sends keys away",
        revoke=True,
    )
    person = Identity.objects.get(login="ada")
    action_propose(
        kind="run.hold", target=Run.objects.get().verdict_id, reason="why", proposer=person
    )
    Lesson.objects.create(
        run=Run.objects.get(), task="text", starts=3, reached=2, final_loss=2.5, retained=1.0
    )
    upkeep(job)
    maintainer = Identity.objects.create(external_id="mia", login="mia")
    role_found(person=maintainer, reason="first")
    affiliation_state(person=maintainer, name="Acme")
    sponsor_add(person=person, sponsor=maintainer, role="member", reason="why")


def attempt(sql: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.rowcount


def other_value(table: str, column: str) -> str:
    """An SQL literal that differs from what is there and is of the column's type."""
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, table)
        kind = connection.introspection.get_field_type(
            next(each.type_code for each in description if each.name == column),
            next(each for each in description if each.name == column),
        )
    if "Integer" in kind or "Float" in kind:
        return f'"{column}" + 1'
    if "Boolean" in kind:
        return f'NOT "{column}"'
    if "JSON" in kind:
        return "'{\"another\": 1}'"
    return "NULL" if "Date" in kind else f"substr(\"{column}\", 2) || 'x'"


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}"')
        return cursor.fetchone()[0]


def columns_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, table)
    return [each.name for each in found if each.name != "id"]


def test_every_guard_is_in_the_database(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            if connection.vendor == "sqlite"
            else "SELECT tgname FROM pg_trigger"
        )
        present = {row[0] for row in cursor.fetchall()}
    assert {guard.name for guard in GUARDS} <= present
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


def test_rows_that_are_kept_cannot_be_deleted(published, subtests):
    for guard in DELETES:
        with subtests.test(guard.name):
            before = rows(guard.table)
            assert before
            with pytest.raises(IntegrityError, match=guard.message.partition(":")[0]):
                attempt(f'DELETE FROM "{guard.table}"')
            assert rows(guard.table) == before


def test_what_stands_cannot_be_changed_column_by_column(published, subtests):
    for guard in UPDATES:
        for column in guard.columns or columns_of(guard.table):
            value = other_value(guard.table, column)
            with subtests.test(f"{guard.name}.{column}"), pytest.raises(IntegrityError):
                attempt(f'UPDATE "{guard.table}" SET "{column}" = {value}')


def test_what_may_change_still_does(published, ada):
    assert Release.objects.update(yanked_at="2026-01-01T00:00:00Z", yanked_reason="old") == 1
    assert Run.objects.update(superseded_at="2026-01-01T00:00:00Z") == 2
    assert Runner.objects.update(hardware_class="another") == 1


def test_a_release_may_change_until_it_is_sealed(job):
    assert Release.objects.update(license="MIT") == 1


LATER = "2026-01-01T00:00:00Z"
FROM_THEN_ON = {
    "guard_runs_runner_update_revoked": (Runner, {"revoked_at": LATER}, {"revoked_at": None}),
    "guard_people_apitoken_update_revoked": (ApiToken, {"revoked_at": LATER}, {"revoked_at": None}),
    "guard_publishing_publisher_update_removed": (
        Publisher,
        {"removed_at": LATER},
        {"removed_at": None},
    ),
    "guard_plugins_release_update_published": (Release, {}, {"published_at": None}),
    "guard_moderation_action_update_done": (Action, {}, {"executed_at": None}),
    "guard_campaigns_campaign_update_ended": (
        Campaign,
        {"ended_at": LATER, "ended_as": "stopped"},
        {"ended_at": None, "ended_as": ""},
    ),
    "guard_campaigns_order_update_settled": (Order, {"settled_at": LATER}, {"settled_at": None}),
    "guard_reruns_rerun_update_settled": (
        Rerun,
        {"settled_at": LATER, "result": "dropped", "words": "why"},
        {"settled_at": None, "result": ""},
    ),
    "guard_notices_notice_update_closed": (
        Notice,
        {"state": "closed", "closed_at": LATER, "closing_run": F("to_run")},
        {"state": "open", "closed_at": None, "closing_run": None},
    ),
    "guard_forge_pull_update_merged": (
        Pull,
        {"state": "merged", "merge_sha": "c" * 40},
        {"state": "open"},
    ),
    "guard_forge_head_update_published": (Head, {"state": "published"}, {"state": "judging"}),
    "guard_forge_build_update_over": (
        Build,
        {"state": "failed", "error": "why"},
        {"state": "queued"},
    ),
    "guard_submissions_job_update_over": (Job, {}, {"state": "queued", "finished_at": None}),
}
"""What may happen once, and then never be taken back."""


def test_every_guard_from_a_moment_on_is_attempted():
    plain = {"update", "delete"}
    assert set(FROM_THEN_ON) == {guard.name for guard in GUARDS if guard.event not in plain}


@pytest.mark.parametrize("name", FROM_THEN_ON)
def test_what_happened_is_not_taken_back(published, name):
    model, first, back = FROM_THEN_ON[name]
    if first:
        assert model.objects.update(**first)
    (message,) = (guard.message for guard in GUARDS if guard.name == name)
    with pytest.raises(IntegrityError, match=message.partition(":")[0]), transaction.atomic():
        model.objects.update(**back)


def test_there_is_no_way_around_a_delete(published, subtests):
    """SQLite's REPLACE and PostgreSQL's TRUNCATE take rows away without deleting them."""
    for guard in DELETES:
        with subtests.test(guard.table):
            no_way_around_a_delete_is_open(guard)


def no_way_around_a_delete_is_open(guard: Guard) -> None:
    table, before = guard.table, rows(guard.table)
    around = {
        "sqlite": f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}"',
        "postgresql": f'TRUNCATE "{table}" CASCADE',
    }
    # PostgreSQL truncates nothing that has checks waiting for the end of the transaction.
    connection.check_constraints()
    with pytest.raises(
        IntegrityError, match=r"keeps every row|is only added to|must not be forgotten"
    ):
        attempt(around[connection.vendor])
    assert rows(table) == before


def test_installing_twice_is_installing_once(db):
    install(connection)
    install(connection)
    test_every_guard_is_in_the_database(None)
