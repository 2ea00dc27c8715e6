"""Writing the log, and checking that nobody rewrote it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from dougong_registry.audit.models import FIRST_HASH, Entry
from dougong_registry.people.models import Identity
from dougong_registry.turns import take_turn

HUB = "hub"
"""The actor of what the hub does by itself."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What checking the log came to."""

    entries: int
    head: str
    """Hash of the last entry; noted elsewhere, it shows entries cut off the end."""
    broken_at: int | None = None
    reason: str = ""


def record(*, actor: str, verb: str, target: str, **payload: Any) -> Entry:
    """Append an entry in the caller's transaction: it stands if and only if the act does.

    Args:
        actor: From `actor_of`, a runner's key, or `HUB`.
        verb: `noun.past_tense`.
        target: What it was done to.
        payload: Whatever a reader must know besides; plain JSON values.
    """
    with transaction.atomic():
        take_turn(connection, "dougong audit")
        last = Entry.objects.order_by("-seq").values_list("seq", "hash").first()
        seq, previous = last or (0, FIRST_HASH)
        entry = Entry(
            seq=seq + 1,
            at=timezone.now(),
            actor=actor[:128],
            verb=verb,
            target=target[:256],
            payload=json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
            previous=previous,
        )
        entry.hash = entry.digest()
        entry.save(force_insert=True)
    return entry


def actor_of(identity: Identity) -> str:
    """Name a person by what never changes hands: provider and external id."""
    return f"{identity.provider}:{identity.external_id}"


def verify() -> Chain:
    """Walk the whole chain and say where it breaks, if it does."""
    previous, seq = FIRST_HASH, 0
    for entry in Entry.objects.order_by("seq").iterator(chunk_size=2000):
        seq += 1
        if entry.seq != seq:
            return Chain(
                entries=seq - 1,
                head=previous,
                broken_at=seq,
                reason=f"entry {seq} is gone; {entry.seq} follows {seq - 1}",
            )
        if entry.previous != previous or entry.hash != entry.digest():
            return Chain(
                entries=seq - 1,
                head=previous,
                broken_at=seq,
                reason=f"entry {seq} ({entry.verb} {entry.target}) was changed after it was made",
            )
        previous = entry.hash
    return Chain(entries=seq, head=previous)
