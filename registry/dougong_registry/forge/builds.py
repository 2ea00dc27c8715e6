"""Builds: ordered once a round, made by a worker in the sandbox, answered once."""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import hashlib
import hmac
import os
import time
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from dougong_ci.intake import scope, sources
from dougong_ci.intake.git import Repository
from dougong_registry.columns import hold_to_columns
from dougong_registry.forge import queue
from dougong_registry.forge.config import folder
from dougong_registry.forge.models import Build, Head
from dougong_registry.problem import Conflict, Missing, Refused, TooLarge
from dougong_registry.submissions.queue import new_nonce

LOST_S = 900
"""A message that was not answered for so long is sent again."""
MAX_WHEEL_BYTES = 22 << 20
"""It comes in one signed request, as base64."""
KEPT_S = 3 * 24 * 3600
"""Sources and wheels are made again if they are needed later."""
OVER = ("done", "failed", "errored")


def sources_of(tree: str) -> Path:
    """Return where the sources of a tree lie for workers."""
    return folder() / "sources" / f"{tree}.tar"


def wheel_of(build: Build) -> Path:
    """Return where the wheel of a build lies until it is submitted or compared."""
    return folder() / "wheels" / f"{build.pk}.whl"


def build_ensure(*, head: Head, purpose: str, commit: str, repository: Repository) -> Build:
    """Return the build of this head, round and purpose, ordered if it was not.

    Raises:
        GitError: the sources cannot be read.
    """
    tree = repository.tree(commit, f"{scope.ROOT}/{head.plugin}")
    archive = sources_of(tree)
    if not archive.is_file():
        sources.pack(repository, commit, f"{scope.ROOT}/{head.plugin}", archive)
    build, _ = Build.objects.get_or_create(
        head=head,
        round=head.round,
        purpose=purpose,
        defaults={"tree": tree, "nonce": new_nonce()},
    )
    _send(build)
    return build


def _send(build: Build) -> None:
    lost = timezone.now() - dt.timedelta(seconds=LOST_S)
    waiting = Build.objects.filter(
        Q(dispatched_at__isnull=True) | Q(dispatched_at__lt=lost), pk=build.pk, state="queued"
    )
    if waiting.exists() and queue.build_send(build.pk, build.nonce, settings.DOUGONG_HUB_URL):
        waiting.update(dispatched_at=timezone.now())


def build_open(*, build_id: int, nonce: str) -> Build:
    """Return a build that waits, to whoever holds its nonce.

    Raises:
        Missing: there is no such build.
        Conflict: the nonce is another, or it is over.
    """
    build = Build.objects.select_related("head").filter(pk=build_id).first()
    if build is None:
        raise Missing(f"no build {build_id}")
    if not hmac.compare_digest(build.nonce.encode(), nonce.encode()):
        raise Conflict(f"the nonce is not that of build {build_id}; drop the message")
    if build.state in OVER:
        raise Conflict(f"build {build_id} is over ({build.state}); drop the message")
    return build


@transaction.atomic
def build_complete(
    *,
    build_id: int,
    nonce: str,
    key_id: str,
    outcome: str,
    filename: str = "",
    wheel: str = "",
    reason: str = "",
) -> Build:
    """Take the answer of a worker; the first one stands.

    Args:
        build_id: Which build.
        nonce: As the message had it.
        key_id: Of the runner that signed the request.
        outcome: `done`, `failed` or `errored`.
        filename: Of the wheel.
        wheel: Its bytes in base64.
        reason: Why there is none.

    Raises:
        Missing: there is no such build.
        Conflict: it is over, or of another nonce.
        Refused: the answer does not hold up.
        TooLarge: the wheel is.
    """
    known = build_open(build_id=build_id, nonce=nonce)
    build = Build.objects.select_for_update().get(pk=known.pk)
    if build.state in OVER:
        raise Conflict(f"build {build_id} is over ({build.state}); drop the message")
    build.state, build.runner_key_id = outcome, key_id
    if outcome == "done":
        build.filename, build.sha256 = filename, _keep(build, wheel)
    elif not reason:
        raise Refused("a build without a wheel needs a reason")
    build.error = "" if outcome == "done" else reason
    hold_to_columns(build)
    build.save()
    queue.advance_later(build.head_id)
    return build


def _keep(build: Build, wheel: str) -> str:
    try:
        data = base64.b64decode(wheel, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"the wheel must be base64: {error}") from error
    if not data:
        raise Refused("the wheel is empty")
    if len(data) > MAX_WHEEL_BYTES:
        raise TooLarge(f"a wheel from a pull request may have {MAX_WHEEL_BYTES >> 20} MiB")
    place = wheel_of(build)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(place)
    return hashlib.sha256(data).hexdigest()


def sweep() -> int:
    """Drop sources and wheels that no open build needs; return how many."""
    old = time.time() - KEPT_S
    dropped = 0
    for path in (*folder().glob("sources/*"), *folder().glob("wheels/*")):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < old:
                path.unlink()
                dropped += 1
    return dropped
