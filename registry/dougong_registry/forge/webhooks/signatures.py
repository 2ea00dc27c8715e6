"""Whether a message is the forge's: its HMAC, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac

from dougong_registry.problem import Unauthorized

PREFIX = "sha256="


def signature_of(secret: str, body: bytes) -> str:
    """Return what the forge sends as `X-Hub-Signature-256`."""
    return PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def hold_to_signature(*, secret: str, body: bytes, given: str) -> None:
    """Refuse a body that was not signed with the secret.

    Raises:
        Unauthorized: there is no signature, or it is of other bytes or another secret.
    """
    expected = signature_of(secret, body)
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise Unauthorized(
            "X-Hub-Signature-256 does not match the body; the secret must be the one that the hub "
            "has as DOUGONG_FORGE_WEBHOOK_SECRET"
        )
