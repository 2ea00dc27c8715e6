"""The issuer's public keys: fetched when an ID token comes, kept for a while, asked anew."""

from __future__ import annotations

import functools

import jwt
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKError

from dougong_registry.problem import Unauthorized, Unavailable

TIMEOUT_S = 5.0
KEPT_S = 3600.0
ASK_ANEW_S = 30.0
"""A key that is not known is asked for no more often than this: strangers can name any."""


@functools.cache
def client(issuer: str) -> PyJWKClient:
    """Return the client of an issuer, one a process; it follows no redirect."""
    return PyJWKClient(
        f"{issuer}/.well-known/jwks",
        lifespan=KEPT_S,
        timeout=TIMEOUT_S,
        cooldown_duration=ASK_ANEW_S,
        headers={"User-Agent": "dougong-hub", "Accept": "application/json"},
    )


def key_of(issuer: str, key_id: str) -> PyJWK:
    """Return a public key of an issuer.

    Raises:
        Unauthorized: the issuer has no such key.
        Unavailable: it cannot be asked.
    """
    try:
        return client(issuer).get_signing_key(key_id)
    except PyJWKClientConnectionError as error:
        raise Unavailable(
            f"the keys of {issuer} cannot be fetched now ({error}); run the job again"
        ) from error
    except (PyJWKClientError, PyJWKError, jwt.PyJWTError) as error:
        raise Unauthorized(f"{issuer} has no signing key {key_id[:64]!r}") from error
    except ValueError as error:
        raise Unavailable(f"the keys of {issuer} cannot be read: {error}") from error
