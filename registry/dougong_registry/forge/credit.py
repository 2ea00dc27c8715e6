"""Credit for what was merged and published: what the ledger of contributions learns of it."""

from __future__ import annotations

import re

from dougong_registry.contributions.releases import release_credit
from dougong_registry.contributions.services import contribution_record
from dougong_registry.forge.models import Event, Head
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.people.models import Identity
from dougong_registry.people.services import identity_ensure
from dougong_registry.plugins.models import Release

REVIEWED = ("approved", "changes_requested")


def credit(head: Head, release: Release) -> None:
    """Credit the author with the release and its reviewers with their reviews, each once.

    In the transaction that publishes. The level is a suggestion until a reviewer sets it.
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


def identity_of(forge_id: int, login: str) -> Identity:
    """Return who somebody is on the hub: known by the forge's id, shown by the login."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", login).strip("-") or "ghost"
    return identity_ensure(login=plain, provider="github", external_id=str(forge_id))
