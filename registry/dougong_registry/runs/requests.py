"""Who sent a request: a runner's signature over method, path, time and body."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.utils import timezone

from dougong_ci.report import signing
from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import record
from dougong_registry.problem import Unauthorized
from dougong_registry.runs.models import Runner

SEEN_EVERY = dt.timedelta(seconds=30)
NOTED_EVERY = dt.timedelta(minutes=1)


def runner_authenticate(
    *, key_id: str, timestamp: str, signature: str, method: str, path: str, body: bytes
) -> Runner:
    """Return the runner that signed a request.

    Raises:
        Unauthorized: a header is missing, the time is off, the key unknown or revoked, or the
            signature not of these bytes.
    """
    if not (key_id and timestamp and signature):
        raise Unauthorized(
            "runner requests carry X-Dougong-Key, X-Dougong-Timestamp and X-Dougong-Signature"
        )
    now = timezone.now()
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise Unauthorized(f"X-Dougong-Timestamp must be Unix seconds, got {timestamp[:32]!r}")
    if abs(now.timestamp() - int(timestamp)) > settings.REQUEST_WINDOW_S:
        _note(key_id, path, "signed at another time")
        raise Unauthorized(
            f"the request was signed more than {settings.REQUEST_WINDOW_S} s from now; "
            "set the clock of the runner"
        )
    runner = Runner.objects.filter(key_id=key_id, revoked_at__isnull=True).first()
    if runner is None:
        _note(key_id, path, "unknown or revoked key")
        raise Unauthorized(f"no runner with key {key_id[:64]}; register it with runner_register")
    message = signing.request_message(method, path, timestamp, body)
    if not signing.verify(message, signature, runner.public_key):
        _note(key_id, path, "signature of other bytes or another key")
        raise Unauthorized("the signature is not of this request by this runner's key")
    if runner.last_seen_at is None or now - runner.last_seen_at > SEEN_EVERY:
        Runner.objects.filter(pk=runner.pk).update(last_seen_at=now)
    return runner


def _note(key_id: str, path: str, reason: str) -> None:
    """Put a refused signature in the audit log; anybody can send one, so one a minute is enough."""
    since = timezone.now() - NOTED_EVERY
    if not Entry.objects.filter(verb="runner.refused", at__gt=since).exists():
        record(actor="anybody", verb="runner.refused", target=path, key=key_id[:64], reason=reason)
