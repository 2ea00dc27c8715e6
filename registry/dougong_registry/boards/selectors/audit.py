"""The audit log, newest first."""

from __future__ import annotations

import json

from dougong_registry.audit.models import Entry
from dougong_registry.boards.pages import AuditRow


def audit_entries(
    *, before: int | None = None, target: str = "", limit: int = 100
) -> tuple[AuditRow, ...]:
    """Return entries, newest first.

    Args:
        before: Only those with a lower `seq`: where the page before ended.
        target: Only those done to this.
        limit: Rows at most.
    """
    entries = Entry.objects.order_by("-seq")
    if before is not None:
        entries = entries.filter(seq__lt=before)
    if target:
        entries = entries.filter(target=target)
    return tuple(
        AuditRow(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            verb=entry.verb,
            target=entry.target,
            payload=json.loads(entry.payload),
            hash=entry.hash,
            previous=entry.previous,
        )
        for entry in entries[:limit]
    )
