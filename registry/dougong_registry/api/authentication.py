"""Who asks: a submitter's bearer token, or a runner's signature over the request."""

from __future__ import annotations

from rest_framework.request import Request

from dougong_registry.people.models import Identity
from dougong_registry.people.services import token_authenticate
from dougong_registry.problem import Unauthorized
from dougong_registry.runs.models import Runner
from dougong_registry.runs.requests import runner_authenticate


def submitter_of(request: Request, scope: str = "submit", plugin: str = "") -> Identity:
    """Return whose token the request carries; it must open `scope`, of one plugin at least.

    Raises:
        Unauthorized: there is no token, or it is not good.
        Forbidden: the token is of another scope.
    """
    kind, _, plain = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not plain.strip():
        raise Unauthorized("submitting needs a token: send `Authorization: Bearer dgp_...`")
    return token_authenticate(plain=plain.strip(), scope=scope, plugin=plugin)


def runner_of(request: Request) -> Runner:
    """Return the runner that signed the request. Call before the body is parsed.

    Raises:
        Unauthorized: not signed, too old, or by an unknown key.
    """
    return runner_authenticate(
        key_id=request.headers.get("X-Dougong-Key", ""),
        timestamp=request.headers.get("X-Dougong-Timestamp", ""),
        signature=request.headers.get("X-Dougong-Signature", ""),
        method=request.method or "",
        path=request.path,
        body=request.body,
    )
