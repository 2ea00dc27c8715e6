"""Credit for what was merged and published: what the ledger of contributions learns of it."""

from __future__ import annotations

from dougong_registry.contributions.models import Contribution
from dougong_registry.contributions.releases import release_credit
from dougong_registry.contributions.services import contribution_record, level_confirm
from dougong_registry.forge.models import Event, Head
from dougong_registry.forge.people import identity_of
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.forge.reviews import level_said
from dougong_registry.plugins.models import Release
from dougong_registry.problem import Problem

REVIEWED = ("approved", "changes_requested")


def credit(head: Head, release: Release) -> None:
    """Credit the author with the release and its reviewers with their reviews, each once.

    In the transaction that publishes. The level is a suggestion where no reviewer set it.
    """
    event_append(
        pull=head.pull,
        head=head,
        kind="credited",
        actor_id=head.pull.author_id,
        source="credited",
        level=head.level,
        plugin=head.plugin,
        commit=head.pull.merge_sha,
        submission=head.submission_id,
    )
    release_credit(release=release)
    for event in Event.objects.filter(pull=head.pull, kind__in=REVIEWED).order_by("pk"):
        if event.actor_id is not None and event.actor_id != head.pull.author_id:
            _reviewed(head, release, event)
    level_apply(head)


def level_apply(head: Head) -> None:
    """Set the level of a published head to what a reviewer last said of it, if one did."""
    said, works = level_said(head), Contribution.in_force().filter(kind="change")
    row = works.filter(thread=f"submission:{head.submission_id}").first()
    if said is None or row is None:
        return
    refused = ""
    try:
        level_confirm(
            contribution_id=row.pk,
            level=said.detail["level"],
            decided_by=identity_of(said.actor_id or 0, said.detail["login"]),
            evidence=[{"kind": "commit", "id": head.sha}],
        )
    except Problem as problem:  # the role that let them say so may be gone by now
        refused = problem.detail
    event_append(
        pull=head.pull,
        head=head,
        kind="level.set",
        source=f"level.set:{said.pk}",
        level=said.detail["level"],
        refused=refused,
    )


def _reviewed(head: Head, release: Release, event: Event) -> None:
    commit = event.head.sha if event.head else head.sha
    contribution_record(
        person=identity_of(event.actor_id or 0, str(event.detail.get("login", ""))),
        kind="review",
        about=identity_of(head.pull.author_id, head.pull.author_login),
        plugin=release.plugin,
        source=f"pull:{head.pull_id} {event.source}",
        occurred_at=event.at,
        evidence=[
            {"kind": "submission", "id": str(head.submission_id)},
            {"kind": "commit", "id": commit},
        ],
        thread=f"submission:{head.submission_id}",
        summary=f"{release.plugin.name} {release.version}: {event.kind.replace('_', ' ')}",
    )
