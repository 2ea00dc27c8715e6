"""Appending to the story of a pull request: each thing once, however often it is read."""

from __future__ import annotations

from typing import Any

from dougong_registry.columns import hold_to_columns
from dougong_registry.forge.models import Event, Head, Pull


def event_append(
    *,
    pull: Pull,
    kind: str,
    source: str,
    head: Head | None = None,
    actor_id: int | None = None,
    **detail: Any,
) -> bool:
    """Append an event in the caller's transaction; return whether it is new.

    Args:
        pull: What it happened to.
        kind: One word of what happened.
        source: What it was read from, as `comment:7`: it is an event once.
        head: Which head of it, if one.
        actor_id: Who did it; none is the hub.
        detail: What a reader must know besides.
    """
    if Event.objects.filter(pull=pull, source=source).exists():
        return False
    event = Event(pull=pull, head=head, kind=kind, actor_id=actor_id, source=source, detail=detail)
    hold_to_columns(event)
    event.save(force_insert=True)
    return True
