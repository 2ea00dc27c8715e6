"""Asking the forge what changed, by the same doors as its messages: nothing counts twice."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dougong_registry.forge.client import Forge
from dougong_registry.forge.commands import command_take
from dougong_registry.forge.pulls.services import pull_seen
from dougong_registry.forge.reviews import review_take

BACK_S = 3 * 24 * 3600
"""How far back a poll looks at least: as long as the hub may be away without missing anything."""


def poll(forge: Forge, since: dt.datetime | None = None) -> int:
    """Take what changed on the forge; return how many pull requests did.

    Args:
        forge: Whom to ask.
        since: How far to look back; by default three days, or three polls where that is more.
    """
    back_s = max(BACK_S, 3 * settings.FORGE_POLL_S)
    since = since or timezone.now() - dt.timedelta(seconds=back_s)
    count = 0
    for facts in list(forge.pulls(since)):
        pull = pull_seen(facts)
        count += 1
        for review in forge.reviews(facts.number):
            with transaction.atomic():
                review_take(pull, review)
    for comment in forge.comments(since):
        command_take(comment)
    return count
