"""What every write of a submitter goes through: its token, its rate, its Idempotency-Key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.authentication import submitter_of
from dougong_registry.people.models import Identity
from dougong_registry.requests.rates import rate_take
from dougong_registry.requests.replies import Answer, once

IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="The same key again gets the same answer, for 24 hours.",
)


def writer_of(request: Request, scope: str, plugin: str = "") -> Identity:
    """Return whose token the request carries, if its address does not ask too often.

    The address comes first: tokens cannot be guessed at speed.

    Raises:
        TooOften: the address is over its rate.
        Unauthorized: there is no token, or it is not good.
        Forbidden: the token is of other scopes.
    """
    rate_take(rate="address", sender=address_of(request))
    return submitter_of(request, scope, plugin)


def address_of(request: Request) -> str:
    """Return the address a request came from, past the proxies that are the hub's own."""
    hops: int = settings.DOUGONG_PROXIES
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    if hops and len(forwarded) >= hops and forwarded[-hops].strip():
        return forwarded[-hops].strip()
    return str(request.META.get("REMOTE_ADDR") or "local")


def answered_once(
    request: Request, identity: Identity, asked: list[str], act: Callable[[], Answer]
) -> Response:
    """Act and answer; with an Idempotency-Key that was used, answer as before.

    `asked` is all that makes the request what it is, besides its address.
    """
    text = "\n".join([request.path, *asked])
    (status, body), again = once(
        identity=identity,
        key=request.headers.get("Idempotency-Key", ""),
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        act=act,
    )
    headers: dict[str, Any] | None = {"Idempotent-Replayed": "true"} if again else None
    return Response(body, status=status, headers=headers)
