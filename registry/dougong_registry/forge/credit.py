"""Credit for what was merged and published: the one place that feeds a ledger."""

from __future__ import annotations

from dougong_registry.forge.models import Head
from dougong_registry.forge.pulls.events import event_append


def credit(head: Head) -> None:
    """Record that a pull request of an author was merged and published, in the same transaction.

    A ledger reads it from here: the author and the reviewers by numeric id, the level that the
    change touches, and the commit and release that are the evidence.
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
