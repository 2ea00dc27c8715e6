"""Every rule that the database holds, met by an attempt to break it past all of our code.

The lists here are held against the models and against what the database says of itself: a
constraint that is added without an attempt fails the first tests of this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from dougong_registry.advisories.services import advisory_publish
from dougong_registry.contributions.models import Contribution
from dougong_registry.contributions.roles import affiliation_state, role_found, sponsor_add
from dougong_registry.contributions.services import level_confirm
from dougong_registry.exports.policy import hub_models
from dougong_registry.fleet.services import heartbeat_take
from dougong_registry.guards.install import install, lift
from dougong_registry.moderation.services import action_propose
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Artifact, OperatorName, Release
from dougong_registry.requests.models import Allowance, Reply
from dougong_registry.runs.models import Lesson, Run, Runner
from dougong_registry.storage.models import Location

NOW = timezone.now()
HEX = "e" * 64
COMMIT = "c" * 40

CHECKS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "identity_login_plain": [
        ("people.identity", {"login": "<ada>"}),
        ("people.identity", {"login": ""}),
    ],
    "api_token_expires_after_creation": [("people.apitoken", {"expires_at": F("created_at")})],
    "api_token_is_hashed": [("people.apitoken", {"token_sha256": "dgp_plain"})],
    "api_token_scope_known": [
        ("people.apitoken", {"scope": scope})
        for scope in ("", "everything", "submit:plugin/", "upload", "read  submit", "admin ")
    ],
    "publisher_has_ids": [
        ("publishing.publisher", {"repository_id": 0}),
        ("publishing.publisher", {"repository_owner_id": 0}),
    ],
    "publisher_workflow_is_a_file": [
        ("publishing.publisher", {"workflow": name})
        for name in ("", "release", "release.sh", "a/release.yml", "../release.yml", ".yml")
    ],
    "exchange_has_jti": [("publishing.exchange", {"jti": ""})],
    "advisory_number_spelt": [
        ("advisories.advisory", {"number": number})
        for number in ("", "DGSA-2026-001", "CVE-2026-0001", "DGSA-2026-0001b")
    ],
    "advisory_kind_known": [("advisories.advisory", {"kind": "boring"})],
    "advisory_severity_known": [("advisories.advisory", {"severity": "mild"})],
    "advisory_says_what": [("advisories.advisory", {"summary": ""})],
    "advisory_withdrawal_has_reason": [
        ("advisories.advisory", {"withdrawn_at": NOW, "withdrawn_reason": ""})
    ],
    "revocation_seq_from_one": [("advisories.revocation", {"seq": 0})],
    "revocation_sha256_hex": [("advisories.revocation", {"sha256": "E" * 64})],
    "revocation_action_known": [("advisories.revocation", {"action": "forgiven"})],
    "location_pinned_by_commit": [
        ("storage.location", {"uri": uri})
        for uri in (
            "hf://datasets/acme/wheels@main/a.whl",
            f"hf://datasets/acme/wheels@{COMMIT}/",
            f"https://example.org/wheels@{COMMIT}/a.whl",
        )
    ],
    "reply_fingerprint_hex": [("requests.reply", {"fingerprint": "E" * 64})],
    "audit_seq_from_one": [("audit.entry", {"seq": 0})],
    "audit_hash_hex": [("audit.entry", {"hash": "E" * 64})],
    "plugin_status_known": [("plugins.plugin", {"status": "gone", "status_reason": "why"})],
    "plugin_status_has_reason": [("plugins.plugin", {"status": "archived", "status_reason": ""})],
    "plugin_canonical_pep503": [
        ("plugins.plugin", {"canonical": name}) for name in ("Acme", "acme_rms", "-acme", "a--b")
    ],
    "artifact_sha256_hex": [("plugins.artifact", {"sha256": "E" * 64})],
    "artifact_not_empty": [("plugins.artifact", {"size_bytes": 0})],
    "artifact_metadata_has_hash": [("plugins.artifact", {"core_metadata_sha256": ""})],
    "release_yank_has_reason": [("plugins.release", {"yanked_at": NOW, "yanked_reason": ""})],
    "release_published_is_sealed": [("plugins.release", {"published_at": NOW, "sealed_at": None})],
    "operator_name_provider_slash_name": [
        ("plugins.operatorname", {"name": name}) for name in ("acme", "Acme/rms", "a/b/c", "/rms")
    ],
    "operator_record_family_known": [("plugins.operatorrecord", {"family": "magic"})],
    "submission_sha256_hex": [("submissions.submission", {"sha256": "short"})],
    "submission_state_known": [("submissions.submission", {"state": "lost"})],
    "submission_finished_has_time": [
        ("submissions.submission", {"state": "judged", "finished_at": None}),
        ("submissions.submission", {"state": "queued", "finished_at": NOW}),
    ],
    "submission_failed_has_reason": [
        ("submissions.submission", {"state": "failed", "finished_at": NOW, "error": ""})
    ],
    "job_state_known": [("submissions.job", {"state": "lost"})],
    "job_priority_known": [("submissions.job", {"priority": "urgent"})],
    "job_retry_has_time": [
        ("submissions.job", {"retry": 1, "cause": "retry", "not_before": None}),
        ("submissions.job", {"retry": 0, "cause": "submission", "not_before": NOW}),
    ],
    "job_cause_known": [("submissions.job", {"retry": 1, "cause": "boredom", "not_before": NOW})],
    "job_again_has_cause": [
        ("submissions.job", {"retry": 1, "cause": "submission", "not_before": NOW}),
        ("submissions.job", {"retry": 0, "cause": "check", "not_before": None}),
    ],
    "job_lease_only_while_leased": [
        ("submissions.job", {"lease_expires_at": NOW}),
        ("submissions.job", {"state": "leased", "lease_expires_at": None}),
    ],
    "retirement_suite_spelt": [
        ("suites.retirement", {"suite": suite}) for suite in ("", "norm.rms@1", "norm.rms@1/new")
    ],
    "retirement_has_reason": [("suites.retirement", {"reason": ""})],
    "campaign_reason_known": [("campaigns.campaign", {"reason": "boredom"})],
    "campaign_says_because": [("campaigns.campaign", {"because": ""})],
    "campaign_end_has_kind": [
        ("campaigns.campaign", {"ended_as": "finished"}),
        ("campaigns.campaign", {"ended_at": NOW}),
        ("campaigns.campaign", {"ended_at": NOW, "ended_as": "forgotten"}),
    ],
    "campaign_done_of_total": [("campaigns.campaign", {"done": 2, "total": 1})],
    "order_again_is_settled": [("campaigns.order", {"again_id": F("run_id")})],
    "draw_week_iso": [("reruns.draw", {"week": "2026-48"})],
    "draw_hashes_hex": [
        ("reruns.draw", {"seed": "short"}),
        ("reruns.draw", {"population_sha256": "E" * 64}),
    ],
    "draw_share_is_share": [("reruns.draw", {"share": 0.0}), ("reruns.draw", {"share": 1.1})],
    "rerun_cause_known": [("reruns.rerun", {"cause": "boredom"})],
    "rerun_sample_has_draw": [
        ("reruns.rerun", {"cause": "sample", "draw_id": None}),
        ("reruns.rerun", {"cause": "first_place"}),
    ],
    "rerun_settled_has_result": [
        ("reruns.rerun", {"settled_at": NOW}),
        ("reruns.rerun", {"result": "dropped", "words": "why"}),
        ("reruns.rerun", {"settled_at": NOW, "result": "perhaps", "words": "why"}),
    ],
    "rerun_compared_with_a_run": [
        ("reruns.rerun", {"settled_at": NOW, "result": "agrees", "second_id": None})
    ],
    "rerun_says_why": [("reruns.rerun", {"settled_at": NOW, "result": "dropped", "words": ""})],
    "notice_state_known": [("notices.notice", {"state": "lost"})],
    "notice_mode_known": [("notices.notice", {"mode": "dream"})],
    "notice_says_how_much": [("notices.notice", {"words": ""})],
    "notice_of_two_runs": [("notices.notice", {"to_run_id": F("from_run_id")})],
    "notice_acknowledged_by_somebody": [("notices.notice", {"acknowledged_at": NOW})],
    "notice_acknowledged_has_time": [("notices.notice", {"state": "acknowledged"})],
    "notice_closed_by_a_run": [
        ("notices.notice", {"state": "closed", "closed_at": NOW}),
        ("notices.notice", {"closed_at": NOW, "closing_run_id": F("to_run_id")}),
    ],
    "action_kind_known": [("moderation.action", {"kind": "plugin.love"})],
    "action_has_reason": [("moderation.action", {"reason": ""})],
    "action_two_people": [
        ("moderation.action", {"approver_id": F("proposer_id"), "executed_at": NOW})
    ],
    "action_trust_needs_approver": [("moderation.action", {"executed_at": NOW})],
    "delivery_body_hex": [("forge.delivery", {"body_sha256": "E" * 64})],
    "pull_state_known": [("forge.pull", {"state": "lost"})],
    "pull_merged_has_commit": [
        ("forge.pull", {"state": "merged", "merge_sha": sha}) for sha in ("", "main")
    ],
    "head_state_known": [("forge.head", {"state": "lost"})],
    "head_sha_is_a_commit": [("forge.head", {"sha": sha}) for sha in ("", "main", "C" * 40)],
    "head_stopped_has_reason": [
        ("forge.head", {"state": state, "reason": ""})
        for state in ("rejected", "errored", "quarantined")
    ],
    "head_judged_has_submission": [
        ("forge.head", {"state": state, "submission_id": None})
        for state in ("judging", "review", "publishing", "published")
    ],
    "step_name_known": [("forge.step", {"name": "dance"})],
    "step_outcome_known": [("forge.step", {"outcome": "fine"})],
    "build_purpose_known": [("forge.build", {"purpose": "fun"})],
    "build_state_says_what": [
        ("forge.build", {"state": "lost"}),
        ("forge.build", {"state": "done", "sha256": ""}),
        ("forge.build", {"state": "failed", "error": ""}),
        ("forge.build", {"state": "errored", "error": ""}),
    ],
    "place_kind_known": [("boards.place", {"kind": "lost"})],
    "place_ranked_has_speedup": [("boards.place", {"kind": "ranked", "speedup": None})],
    "heading_led_if_ranked": [("boards.heading", {"ranked": 1, "leader_speedup": None})],
    "contribution_kind_known": [("contributions.contribution", {"kind": "praise", "level": ""})],
    "contribution_changes_have_level": [
        ("contributions.contribution", {"kind": "change", "level": level}) for level in ("", "L4")
    ]
    + [("contributions.contribution", {"kind": "triage", "level": "L1"})],
    "contribution_not_decided_by_oneself": [
        ("contributions.contribution", {"decided_by_id": F("person_id")})
    ],
    "contribution_not_of_oneself": [("contributions.contribution", {"about_id": F("person_id")})],
    "contribution_review_has_author": [
        ("contributions.contribution", {"kind": "review", "level": "", "about_id": None})
    ],
    "contribution_void_says_of_what_and_why": [
        ("contributions.contribution", {"kind": "void", "level": "", "summary": ""}),
        ("contributions.contribution", {"kind": "void", "level": "", "replaces_id": None}),
    ],
    "role_act_known": [("contributions.roleact", {"act": "crown"})],
    "role_act_names_role": [("contributions.roleact", {"role": role}) for role in ("", "King")],
    "role_act_not_for_oneself": [("contributions.roleact", {"by_id": F("person_id")})],
    "role_act_has_reason": [("contributions.roleact", {"reason": ""})],
    "role_act_policy_hex": [("contributions.roleact", {"policy_sha256": "E" * 64})],
    "affiliation_named": [("contributions.affiliation", {"name": ""})],
    "sponsorship_not_of_oneself": [("contributions.sponsorship", {"sponsor_id": F("person_id")})],
    "sponsorship_names_role": [("contributions.sponsorship", {"role": "Member 2"})],
    "sponsorship_has_reason": [("contributions.sponsorship", {"reason": ""})],
    "month_response_measured": [
        ("contributions.month", {"responses": 1, "response_median_s": None})
    ],
    "month_review_measured": [("contributions.month", {"reviewed": 1, "review_median_s": None})],
    "search_entry_family_known": [("search.entry", {"family": "magic"})],
    "run_outcome_known": [("runs.run", {"outcome": "fine"})],
    "run_payload_sha256_hex": [("runs.run", {"payload_sha256": "short"})],
    "score_interval_ordered": [
        ("runs.score", {"ci_high": F("ci_low") - 0.1}),
        ("runs.score", {"ci_low": 0.0}),
        ("runs.score", {"speedup": 0.0}),
    ],
    "score_coverage_share": [
        ("runs.score", {"coverage": 1.01}),
        ("runs.score", {"coverage": -0.1}),
    ],
    "score_mode_known": [("runs.score", {"mode": "dream"})],
    "score_decision_known": [("runs.score", {"decision": "maybe"})],
    "lesson_reached_of_starts": [
        ("runs.lesson", {"starts": 0, "reached": 0}),
        ("runs.lesson", {"reached": 4}),
    ],
    "lesson_retained_share": [
        ("runs.lesson", {"retained": 1.01}),
        ("runs.lesson", {"retained": -0.1}),
    ],
    "gate_result_outcome_known": [("runs.gateresult", {"outcome": "fine"})],
}
ALSO = {"submission_state_known": "submission_finished_has_time"}
"""A state that nobody knows breaks both, and which of two is named is the engine's choice."""

FRESH: dict[str, dict[str, Any]] = {
    "advisories.advisory": {"number": "DGSA-2026-9999"},
    "advisories.affected": {"release_id": "unused release"},
    "advisories.revocation": {"seq": 999, "payload_sha256": HEX},
    "advisories.signingkey": {"key_id": "another", "public_key": "another"},
    "audit.entry": {"seq": 999, "hash": HEX, "previous": "d" * 64},
    "people.identity": {"external_id": "eve"},
    "people.apitoken": {"token_sha256": HEX},
    "publishing.publisher": {"environment": "another"},
    "publishing.exchange": {"jti": "another", "token_id": "unused token"},
    "plugins.plugin": {"canonical": "eves", "confusable_key": "eves"},
    "plugins.artifact": {"sha256": HEX, "filename": "eves-1.0-py3-none-any.whl"},
    "plugins.release": {"version": "9.0", "artifact_id": "unused artifact"},
    "plugins.provider": {"name": "eves", "confusable_key": "eves"},
    "plugins.operatorname": {"name": "acme/other"},
    "plugins.operatorrecord": {"name": "acme/other"},
    "submissions.submission": {"release_id": "unused release", "sha256": HEX},
    "submissions.job": {
        "nonce": "another",
        "retry": 1,
        "cause": "retry",
        "not_before": NOW,
        "state": "done",
    },
    "submissions.jobevent": {"seq": 999},
    "suites.retirement": {"suite": "norm.rms@1/2030.1"},
    "campaigns.campaign": {"hardware_class": "another"},
    "campaigns.order": {"run_id": "unused run"},
    "reruns.draw": {"week": "2030-W01"},
    "reruns.rerun": {"first_id": "unused run"},
    "notices.notice": {"mode": "train"},
    "moderation.action": {"target": "another"},
    "forge.delivery": {"delivery_id": "another", "body_sha256": HEX},
    "forge.pull": {"number": 999},
    "forge.head": {"sha": "e" * 40},
    "forge.step": {"name": "scan"},
    "forge.build": {"nonce": "another", "round": 2},
    "forge.event": {"source": "another"},
    "forge.provenance": {"release_id": "unused release"},
    "boards.place": {"run_id": "another"},
    "boards.heading": {"mode": "train"},
    "contributions.contribution": {"source": "another", "replaces_id": "unused contribution"},
    "contributions.roleact": {},
    "contributions.affiliation": {"since": NOW},
    "contributions.sponsorship": {"role": "reviewer"},
    "contributions.standing": {"person_id": "unused person"},
    "contributions.month": {"month": NOW.date().replace(year=1999)},
    "search.entry": {"operator_name_id": "unused name", "name": "acme/other"},
    "search.spelling": {"key": "another"},
    "storage.location": {"uri": f"hf://datasets/acme/wheels@{COMMIT}/other.whl"},
    "requests.allowance": {"sender": "another"},
    "requests.reply": {"key": "another"},
    "fleet.capability": {"runner_id": "unused runner"},
    "runs.runner": {"name": "eves", "public_key": "another", "key_id": "another"},
    "runs.run": {"verdict_id": "another", "superseded_at": NOW},
    "runs.score": {"mode": "train"},
    "runs.lesson": {"task": "another"},
    "runs.gateresult": {"position": 99},
}
"""What a second row of each table must have of its own; without any one of it, it is refused."""

TOGETHER = {"not_before": "retry", "cause": "retry"}
"""Columns that a check binds to another: they come and go with it."""


@pytest.fixture
def full(ada, runner, job, verdict_of, wheel_of, upkeep, pull, exchanged):
    """A row in every table and no guard, so that only the constraints are in the way."""
    runner.claim(job)
    runner.discover(job)
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert runner.complete(job).status_code == 200
    wheel = wheel_of(version="1.1")
    assert ada.submit(wheel, "acme_rms-1.1-py3-none-any.whl").status_code == 201
    person = Identity.objects.get(login="ada")
    for kind in ("plugin.quarantine", "plugin.lift"):
        action_propose(kind=kind, target="acme-rms", reason="why", proposer=person)
    advisory_publish(
        plugin="acme-rms",
        versions="==1.1",
        kind="malware",
        severity="high",
        summary="It phones home.",
        revoke=True,
    )
    heartbeat_take(runner=Runner.objects.latest("pk"), hardware={"cpu": "cpu-test"})
    Location.objects.create(
        artifact=Artifact.objects.latest("pk"), uri=f"hf://datasets/acme/wheels@{COMMIT}/a.whl"
    )
    Allowance.objects.create(rate="read", sender="local:ada", full_at=NOW)
    Lesson.objects.create(
        run=Run.objects.latest("pk"), task="text", starts=3, reached=3, final_loss=2.5, retained=1.0
    )
    upkeep(job)
    Reply.objects.create(identity=person, key="once", fingerprint=HEX)
    ledger(person)
    lift(connection)
    yield
    install(connection)


def ledger(person: Identity) -> None:
    """A change whose level a maintainer set, and everything that people say of each other."""
    maintainer = Identity.objects.create(external_id="mia", login="mia")
    role_found(person=maintainer, reason="first")
    affiliation_state(person=maintainer, name="Acme")
    sponsor_add(person=person, sponsor=maintainer, role="member", reason="why")
    shown = [{"kind": "url", "id": "https://example.org"}]
    change = Contribution.objects.get(person=person)
    level_confirm(contribution_id=change.pk, level="L2", decided_by=maintainer, evidence=shown)


def last(label: str) -> models.Model:
    (model,) = (model for model in hub_models() if model._meta.label_lower == label)
    row = model._base_manager.order_by("pk").last()
    assert row is not None, f"the fixture `full` has no {label}"
    return row


def copy(label: str, leave_out: set[str] = frozenset()) -> None:
    """Insert a second row that differs from the last in all of `FRESH` but what is left out."""
    row = last(label)
    # First, since the key of a row may itself be one of its fresh values.
    row.pk, row._state.adding = None, True
    for name, value in FRESH[label].items():
        if name not in leave_out and TOGETHER.get(name) not in leave_out:
            setattr(row, name, unused(value))
    row.save(force_insert=True)


def unused(value: Any) -> Any:
    if value == "unused person":
        return Identity.objects.create(external_id="idle", login="idle").pk
    if value == "unused token":
        token = ApiToken.objects.latest("pk")
        token.pk, token.token_sha256 = None, "f" * 64
        token.save(force_insert=True)
        return token.pk
    if value == "unused contribution":
        old = Contribution.objects.get(replaces__isnull=True)
        old.pk, old.source = None, "unused"
        old.save(force_insert=True)
        return old.pk
    if not str(value).startswith("unused "):
        return value
    if value == "unused run":
        return Run.objects.filter(orders=None, checked_by=None).latest("pk").pk
    if value == "unused runner":
        return Runner.objects.create(name="idle", public_key="idle", key_id="idle").pk
    if value == "unused name":
        taken = OperatorName.objects.latest("pk")
        fresh = OperatorName(name="acme/unused", provider=taken.provider, plugin=taken.plugin)
        fresh.save(force_insert=True)
        return fresh.pk
    artifact = Artifact.objects.create(sha256="f" * 64, size_bytes=1, filename="unused.whl")
    if value == "unused artifact":
        return artifact.pk
    plugin = Release.objects.latest("pk").plugin
    return Release.objects.create(plugin=plugin, version="8.0", artifact=artifact).pk


def refusal(act) -> str:
    """What the database says to an act in a transaction of its own; empty where it lets it."""
    try:
        with transaction.atomic():
            act()
            # Foreign keys are looked at when a transaction ends.
            connection.check_constraints()
            raise UndoneError
    except UndoneError:
        return ""
    except DatabaseError as error:
        return f"{type(error).__name__} {error}"


class UndoneError(Exception):
    pass


def change(row: models.Model, **values: Any) -> str:
    rows = type(row)._base_manager.filter(pk=row.pk)
    return refusal(lambda: rows.update(**values))


def uniquenesses(model: type[models.Model]) -> Iterator[tuple[set[str], set[str]]]:
    """The columns of each uniqueness, and those that its condition asks for besides."""
    for field in model._meta.concrete_fields:
        if field.unique and not field.primary_key:
            yield {field.attname}, set()
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            assert not constraint.expressions, f"{constraint.name}: name its fields here"
            fields = map(model._meta.get_field, constraint.fields)
            yield {field.attname for field in fields}, asked(constraint.condition)


def asked(condition: Q | None) -> set[str]:
    parts = condition.children if condition is not None else []
    return {part[0].partition("__")[0] for part in parts}


def columns_named(model: type[models.Model], said: str) -> set[str]:
    """The columns of the uniqueness that is refused: SQLite lists them, PostgreSQL names it."""
    table = model._meta.db_table
    if connection.vendor == "sqlite":
        return set(re.findall(rf"\b{table}\.(\w+)", said))
    (name,) = re.findall(r'unique constraint "(\w+)"', said)
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, table)[name]["columns"])


def test_every_check_of_the_models_is_attempted():
    named = {
        constraint.name
        for model in hub_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    }
    assert named == set(CHECKS)


def test_every_constraint_of_the_models_is_in_the_database(db):
    for model in hub_models():
        with connection.cursor() as cursor:
            present = connection.introspection.get_constraints(cursor, model._meta.db_table)
        wanted = {constraint.name for constraint in model._meta.constraints}
        assert wanted <= set(present), model


def test_the_database_has_no_check_that_is_not_attempted(db):
    for model in hub_models():
        fields = {field.column: field for field in model._meta.concrete_fields}
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, model._meta.db_table)
        for name, constraint in found.items():
            if constraint["check"] and name not in CHECKS:
                (column,) = set(constraint["columns"])
                assert is_positive(fields[column]) or isinstance(
                    fields[column], models.JSONField
                ), name


def test_a_row_that_breaks_a_check_is_refused(full, subtests):
    for name, attempts in CHECKS.items():
        with subtests.test(name):
            for label, values in attempts:
                said = change(last(label), **values)
                assert said.startswith("IntegrityError"), values
                assert name in said or ALSO.get(name, name) in said, values


def test_every_table_has_a_row_to_try_with():
    assert {model._meta.label_lower for model in hub_models()} == set(FRESH)


def test_a_second_row_is_taken_where_it_is_its_own_in_all_and_refused_where_not(full, subtests):
    for label in FRESH:
        with subtests.test(label):
            assert refusal(lambda of=label: copy(of)) == ""
            model = type(last(label))
            for columns, asked_besides in uniquenesses(model):
                both = columns | asked_besides
                said = refusal(lambda of=label, but=both: copy(of, but))
                assert said.startswith("IntegrityError"), columns
                assert columns_named(model, said) == columns


def is_positive(field: models.Field) -> bool:
    return field.get_internal_type().startswith("Positive")


def test_columns_refuse_nothing_where_something_must_be(full, subtests):
    for label in FRESH:
        row = last(label)
        with subtests.test(label):
            for field in row._meta.concrete_fields:
                if not field.null and not field.primary_key:
                    assert "IntegrityError" in change(row, **{field.attname: None}), field


def test_links_lead_somewhere_and_numbers_count(full, subtests):
    for label in FRESH:
        with subtests.test(label):
            no_link_leads_nowhere_and_no_number_is_negative(last(label))


def no_link_leads_nowhere_and_no_number_is_negative(row: models.Model) -> None:
    for field in row._meta.concrete_fields:
        if field.is_relation:
            assert "IntegrityError" in change(row, **{field.attname: 10**6}), field
            target = field.related_model._base_manager.filter(pk=getattr(row, field.attname))
            if target.exists():
                assert "IntegrityError" in refusal(lambda gone=target: raw_delete(gone)), field
        if is_positive(field):
            assert "IntegrityError" in refusal(lambda f=field: raw_set(row, f, "-1")), field
        if isinstance(field, models.JSONField):
            assert refusal(lambda f=field: raw_set(row, f, "'{half'")), field


def raw_set(row: models.Model, field: models.Field, literal: str) -> None:
    table, key = row._meta.db_table, row._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table}" SET "{field.column}" = {literal} WHERE "{key}" = {row.pk}'
        )


def raw_delete(rows: models.QuerySet) -> None:
    rows._raw_delete(rows.db)


def test_what_breaks_no_rule_is_let_through(full):
    """The control of this file."""
    assert change(last("people.identity"), login="Ada-2") == ""
    assert change(last("runs.score"), coverage=1.0) == ""
    assert change(last("people.apitoken"), scope="read submit:plugin/acme-rms yank admin") == ""
    assert change(last("advisories.advisory"), number="DGSA-2026-10000") == ""
    assert change(last("submissions.job"), priority="high") == ""
