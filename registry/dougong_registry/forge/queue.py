"""Asking the hub's own queue to go on with a head; what the broker loses, the sweep finds."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from dougong_ci.report.routes import queue_of
from dougong_registry.forge.models import Head

ADVANCE = "dougong_registry.forge.tasks.advance"
BUILD = "dougong.build"

logger = logging.getLogger(__name__)


def advance_later(head_id: int) -> None:
    """Wake a head in the caller's transaction; it is gone on with once that stands."""
    Head.objects.filter(pk=head_id).update(not_before=timezone.now(), changes=F("changes") + 1)
    transaction.on_commit(partial(advance_send, head_id), robust=True)


def advance_send(head_id: int) -> bool:
    """Send a head to the hub's queue now; return whether the broker took it."""
    return _send(ADVANCE, [head_id], "forge")


def build_send(build_id: int, nonce: str, hub_url: str) -> bool:
    """Send an order to build to the workers; return whether the broker took it."""
    return _send(BUILD, [build_id, nonce, hub_url], queue_of("cpu", priority="high"))


def _send(task: str, args: list[Any], queue: str) -> bool:
    # The app connects lazily, so that pages which only read never meet the broker.
    from dougong_registry.celery import app

    try:
        app.send_task(task, args=args, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("%s%s waits for the sweep: %s", task, args[:1], error)
        return False
    return True
