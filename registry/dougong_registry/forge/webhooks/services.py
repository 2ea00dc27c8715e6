"""Taking a message: proved, once, recent, and in one transaction with what it changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from dougong_registry.columns import hold_to_columns
from dougong_registry.forge.commands import command_take
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import Delivery
from dougong_registry.forge.pulls.services import pull_seen
from dougong_registry.forge.reviews import review_take
from dougong_registry.forge.webhooks import payloads
from dougong_registry.forge.webhooks.payloads import Message
from dougong_registry.problem import Conflict, Refused

MAX_BYTES = 2 << 20
SEEN, LATE, IGNORED, TAKEN = "seen", "late", "ignored", "taken"


def delivery_take(*, config: Config, delivery_id: str, event: str, body: bytes) -> str:
    """Take one proved message; return what became of it.

    Whoever replays a message under an id of their own sends bytes that were taken already, or
    bytes that are old by their own account: both change nothing. What was missed so is found by
    the poller.

    Raises:
        Refused: it cannot be read, or has no id.
        Conflict: these bytes came before under another id.
    """
    if not delivery_id:
        raise Refused("X-GitHub-Delivery must name the delivery")
    if Delivery.objects.filter(delivery_id=delivery_id).exists():
        return SEEN
    content = _content(body)
    message = payloads.read(event, content)
    outcome = _outcome(config, content, message)
    delivery = Delivery(
        delivery_id=delivery_id,
        body_sha256=hashlib.sha256(body).hexdigest(),
        event=event,
        action=str(content.get("action") or ""),
        outcome=outcome,
    )
    hold_to_columns(delivery)
    try:
        with transaction.atomic():
            delivery.save(force_insert=True)
            if message is not None and outcome == TAKEN:
                _apply(message)
    except IntegrityError:
        if Delivery.objects.filter(delivery_id=delivery_id).exists():
            return SEEN
        if Delivery.objects.filter(body_sha256=delivery.body_sha256).exists():
            raise Conflict(
                "these bytes came before as another delivery; the forge sends nothing twice"
            ) from None
        raise
    return outcome


def _content(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refused("the body must be a JSON object; set the webhook to application/json")
    return content


def _outcome(config: Config, content: Mapping[str, Any], message: Message | None) -> str:
    if message is None:
        return IGNORED
    if content["repository"]["id"] != config.repository_id:
        return IGNORED
    window = dt.timedelta(seconds=settings.REQUEST_WINDOW_S)
    return TAKEN if abs(timezone.now() - message.at) <= window else LATE


def _apply(message: Message) -> None:
    if message.comment is not None:
        command_take(message.comment)
        return
    if message.pull is None:
        return
    pull = pull_seen(message.pull)
    if message.review is not None:
        review_take(pull, message.review)
