"""Answering once: the same `Idempotency-Key` gets the answer that was given before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from dougong_registry.people.models import Identity
from dougong_registry.problem import Conflict, Refused
from dougong_registry.requests.models import Reply

KEPT = dt.timedelta(hours=24)
AT_WORK = dt.timedelta(minutes=10)
"""After which a request that gave no answer is taken for lost."""

Answer = tuple[int, Any]


def once(
    *, identity: Identity, key: str, fingerprint: str, act: Callable[[], Answer]
) -> tuple[Answer, bool]:
    """Act, or return what acting came to before, and whether it was before.

    A refusal is not kept: what was wrong may be right the next time.

    Args:
        identity: Who asks; keys of two people have nothing to do with each other.
        key: The `Idempotency-Key`; empty to act without one.
        fingerprint: sha256 of what is asked.
        act: Returns a status and a body.

    Raises:
        Refused: the key was used for something else.
        Conflict: the first request is still at work.
    """
    if not key:
        return act(), False
    reply, created = _claim(identity, key, fingerprint)
    if not created:
        return _kept(reply, fingerprint), True
    try:
        status, body = act()
    except BaseException:
        Reply.objects.filter(pk=reply.pk, status=None).delete()
        raise
    Reply.objects.filter(pk=reply.pk).update(status=status, body=body)
    return (status, body), False


def _claim(identity: Identity, key: str, fingerprint: str) -> tuple[Reply, bool]:
    if len(key) > 255 or not key.isascii() or not key.isprintable():
        raise Refused("an Idempotency-Key has 1 to 255 printable ASCII characters")
    now = timezone.now()
    with transaction.atomic():
        Reply.objects.filter(created_at__lt=now - KEPT).delete()
        Reply.objects.filter(status=None, created_at__lt=now - AT_WORK).delete()
        return Reply.objects.get_or_create(
            identity=identity, key=key, defaults={"fingerprint": fingerprint}
        )


def _kept(reply: Reply, fingerprint: str) -> Answer:
    if reply.fingerprint != fingerprint:
        raise Refused(
            f"the Idempotency-Key {reply.key!r} was used for another request; use a new one"
        )
    if reply.status is None:
        raise Conflict("the first request with this Idempotency-Key is still at work; ask again")
    return reply.status, reply.body
