"""Every guarded table: what of a row may never change, from when on, and what may not go.

Column and check constraints say what a row may be; these say what may become of it. They hold
against our own code and against anybody with a database shell.
"""

from __future__ import annotations

import dataclasses

EVERYTHING: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One rule of one table."""

    table: str
    event: str
    """`update` or `delete`; a second one of a table has a suffix, as `update_revoked`."""
    message: str
    columns: tuple[str, ...] = EVERYTHING
    """Of an update: those that may not change; none named means all."""
    when: str = ""
    """A condition on OLD, in SQL that both engines read; empty means always."""

    @property
    def name(self) -> str:
        """Name of its trigger."""
        return f"guard_{self.table}_{self.event}"


def kept(table: str, why: str) -> Guard:
    """Forbid that rows go."""
    return Guard(table=table, event="delete", message=f"{table} keeps every row: {why}")


def only_added_to(table: str, why: str) -> tuple[Guard, Guard]:
    """Forbid that rows change or go."""
    return (
        Guard(table=table, event="update", message=f"{table} is only added to: {why}"),
        kept(table, why),
    )


GUARDS: tuple[Guard, ...] = (
    *only_added_to("audit_entry", "the chain of hashes would break"),
    *only_added_to("submissions_jobevent", "it is what happened"),
    *only_added_to("runs_score", "it was computed from the samples of its run"),
    *only_added_to("runs_lesson", "it was computed from the starts of its run"),
    *only_added_to("runs_gateresult", "it is what the judge found"),
    *only_added_to("plugins_operatorname", "names are never freed"),
    *only_added_to("plugins_operatorrecord", "it is what a sealed release says of itself"),
    *only_added_to("plugins_artifact", "bytes and their hash are for ever"),
    kept("people_identity", "what a person did stays theirs"),
    Guard(
        table="people_identity",
        event="update",
        columns=("provider", "external_id"),
        message="people_identity: who somebody is never changes, only the login",
    ),
    Guard(
        table="people_apitoken",
        event="update",
        columns=("identity_id", "token_sha256", "hint", "scope", "created_at", "expires_at"),
        message="people_apitoken: a token never changes hands, scope or time; make another",
    ),
    Guard(
        table="people_apitoken",
        event="update_revoked",
        columns=("revoked_at",),
        when="OLD.revoked_at IS NOT NULL",
        message="people_apitoken: a revoked token stays revoked",
    ),
    kept("publishing_publisher", "it is whom somebody trusted"),
    Guard(
        table="publishing_publisher",
        event="update",
        columns=(
            "plugin_id",
            "repository_id",
            "repository_owner_id",
            "workflow",
            "environment",
            "added_by_id",
            "created_at",
        ),
        message="publishing_publisher: whom somebody trusts never changes; add another",
    ),
    Guard(
        table="publishing_publisher",
        event="update_removed",
        columns=("removed_at",),
        when="OLD.removed_at IS NOT NULL",
        message="publishing_publisher: what was removed stays removed; add it again",
    ),
    Guard(
        table="publishing_exchange",
        event="update",
        message="publishing_exchange: an ID token was exchanged once, as it was",
    ),
    Guard(
        table="publishing_exchange",
        event="delete",
        # As text in SQLite and as time in PostgreSQL, it orders alike.
        when="OLD.expires_at > CURRENT_TIMESTAMP",
        message="publishing_exchange: an ID token that is still good must not be forgotten",
    ),
    kept("plugins_provider", "names are never freed"),
    Guard(
        table="plugins_provider",
        event="update",
        columns=("name", "confusable_key"),
        message="plugins_provider: a name never changes",
    ),
    kept("plugins_plugin", "names are never freed"),
    Guard(
        table="plugins_plugin",
        event="update",
        columns=("name", "canonical", "confusable_key"),
        message="plugins_plugin: a name never changes",
    ),
    kept("plugins_release", "versions are never used again"),
    Guard(
        table="plugins_release",
        event="update",
        columns=("plugin_id", "version", "artifact_id", "license", "requires_python", "sealed_at"),
        when="OLD.sealed_at IS NOT NULL",
        message="plugins_release is sealed: publish the change under a new version",
    ),
    Guard(
        table="plugins_release",
        event="update_published",
        columns=("published_at",),
        when="OLD.published_at IS NOT NULL",
        message="plugins_release was offered: yank it with a reason",
    ),
    kept("submissions_submission", "it is what happened"),
    Guard(
        table="submissions_submission",
        event="update",
        columns=("release_id", "submitter_id", "sha256", "created_at"),
        message="submissions_submission: what was submitted never changes",
    ),
    kept("submissions_job", "it is what happened"),
    Guard(
        table="submissions_job",
        event="update",
        columns=("submission_id", "retry", "created_at"),
        message="submissions_job: what was ordered never changes",
    ),
    Guard(
        table="submissions_job",
        event="update_over",
        columns=("state", "finished_at"),
        when="OLD.state IN ('done', 'failed')",
        message="submissions_job: a job that is over stays over; order another",
    ),
    kept("runs_run", "a verdict stands; a later one takes its place on the boards"),
    Guard(
        table="runs_run",
        event="update",
        columns=(
            "verdict_id",
            "submission_id",
            "job_id",
            "operator_id",
            "runner_id",
            "contract",
            "suite",
            "device",
            "hardware_class",
            "torch_version",
            "judge_version",
            "outcome",
            "code",
            "summary",
            "official",
            "payload",
            "payload_sha256",
            "signature",
            "key_id",
            "started_at",
            "finished_at",
            "recorded_at",
        ),
        message="runs_run holds what was signed: it never changes",
    ),
    kept("runs_runner", "its runs are known by its key; revoke it"),
    Guard(
        table="runs_runner",
        event="update",
        columns=("name", "public_key", "key_id"),
        message="runs_runner: a key never changes hands; register another runner",
    ),
    *only_added_to("contributions_contribution", "a later record takes its place"),
    *only_added_to("contributions_roleact", "it is what people decided; decide again"),
    *only_added_to("contributions_sponsorship", "it is what somebody said"),
    *only_added_to("contributions_affiliation", "the newest counts"),
    *only_added_to("storage_location", "a commit holds the same bytes for ever"),
    *only_added_to("advisories_signingkey", "signatures are checked with it for ever"),
    *only_added_to("advisories_affected", "clients have read it; publish another advisory"),
    *only_added_to("advisories_revocation", "each line holds the hash of the one before"),
    kept("advisories_advisory", "withdraw it"),
    Guard(
        table="advisories_advisory",
        event="update",
        columns=("number", "plugin_id", "kind", "severity", "summary", "details", "published_at"),
        message="advisories_advisory: what was published stands; withdraw it",
    ),
    Guard(
        table="runs_runner",
        event="update_revoked",
        columns=("revoked_at",),
        when="OLD.revoked_at IS NOT NULL",
        message="runs_runner: a revoked key stays revoked",
    ),
    *only_added_to("suites_retirement", "runs were sent in relying on the day"),
    kept("campaigns_campaign", "it is what was judged again, and why"),
    Guard(
        table="campaigns_campaign",
        event="update",
        columns=(
            "reason",
            "hardware_class",
            "from_versions",
            "to_version",
            "because",
            "started_at",
        ),
        message="campaigns_campaign: what it is for never changes; start another",
    ),
    Guard(
        table="campaigns_campaign",
        event="update_ended",
        columns=("ended_at", "ended_as", "ended_because", "done", "total"),
        when="OLD.ended_at IS NOT NULL",
        message="campaigns_campaign: one that ended stays so; start another",
    ),
    kept("campaigns_order", "it is what was judged again"),
    Guard(
        table="campaigns_order",
        event="update",
        columns=("campaign_id", "run_id", "job_id"),
        message="campaigns_order: what was ordered never changes",
    ),
    Guard(
        table="campaigns_order",
        event="update_settled",
        columns=("again_id", "settled_at"),
        when="OLD.settled_at IS NOT NULL",
        message="campaigns_order: what came of it stands",
    ),
    *only_added_to("reruns_draw", "anybody may draw it again"),
    kept("reruns_rerun", "it is what was checked"),
    Guard(
        table="reruns_rerun",
        event="update",
        columns=("cause", "draw_id", "first_id", "created_at"),
        message="reruns_rerun: what is checked never changes",
    ),
    Guard(
        table="reruns_rerun",
        event="update_settled",
        columns=("job_id", "second_id", "result", "words", "settled_at"),
        when="OLD.settled_at IS NOT NULL",
        message="reruns_rerun: a result stands; another run is another check",
    ),
    kept("notices_notice", "it is what became worse"),
    Guard(
        table="notices_notice",
        event="update",
        columns=(
            "plugin_id",
            "operator_name_id",
            "suite",
            "device",
            "hardware_class",
            "dtype",
            "mode",
            "from_run_id",
            "to_run_id",
            "words",
            "opened_at",
        ),
        message="notices_notice: what became worse never changes; a run closes it",
    ),
    Guard(
        table="notices_notice",
        event="update_closed",
        columns=("state", "closed_at", "closing_run_id", "acknowledged_at", "acknowledged_by_id"),
        when="OLD.closed_at IS NOT NULL",
        message="notices_notice: a closed notice stays closed",
    ),
    *only_added_to("forge_delivery", "what was taken once is never taken again"),
    *only_added_to("forge_event", "it is what happened"),
    *only_added_to("forge_provenance", "it was signed"),
    kept("forge_pull", "it is what happened"),
    Guard(
        table="forge_pull",
        event="update",
        columns=("repository_id", "number", "author_id", "created_at"),
        message="forge_pull: what it is and whose never changes",
    ),
    Guard(
        table="forge_pull",
        event="update_merged",
        columns=("state", "merge_sha"),
        when="OLD.state = 'merged'",
        message="forge_pull: what was merged stays merged",
    ),
    kept("forge_head", "it is what happened"),
    Guard(
        table="forge_head",
        event="update",
        columns=("pull_id", "sha", "created_at"),
        message="forge_head: a head is one commit of one pull request",
    ),
    Guard(
        table="forge_head",
        event="update_published",
        columns=("state", "submission_id", "tree", "level"),
        when="OLD.state = 'published'",
        message="forge_head: what was published stays published",
    ),
    kept("forge_step", "it is what happened"),
    kept("forge_build", "it is what happened"),
    Guard(
        table="forge_build",
        event="update_over",
        columns=("state", "sha256", "filename", "error"),
        when="OLD.state IN ('done', 'failed', 'errored')",
        message="forge_build: what was built stands; begin another round",
    ),
    kept("moderation_action", "it is what people decided"),
    Guard(
        table="moderation_action",
        event="update",
        columns=("kind", "target", "reason", "proposer_id", "proposed_at"),
        message="moderation_action: a proposal never changes; make another",
    ),
    Guard(
        table="moderation_action",
        event="update_done",
        columns=("approver_id", "executed_at"),
        when="OLD.executed_at IS NOT NULL",
        message="moderation_action: what was done stays done",
    ),
)
