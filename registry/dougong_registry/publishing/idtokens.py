"""What an ID token of GitHub Actions must be: signed, for this hub, short, of now, of a job."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from jwt import PyJWK

from dougong_registry.problem import Unauthorized
from dougong_registry.publishing.claims import MAX_CHARACTERS, MAX_JTI, Claims

ALGORITHMS = ("RS256", "ES256")
"""With a public key only: neither `none` nor an HMAC that takes the public key for a secret."""
LONGEST_S = 15 * 60
LEEWAY_S = 30
REQUIRED = (
    "iss",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow_ref",
    "job_workflow_ref",
    "event_name",
)
_FOLDER = ".github/workflows/"
_NUMBER = re.compile("[1-9][0-9]{0,18}")


def read(text: str, *, issuer: str, audience: str, key_of: Callable[[str, str], PyJWK]) -> Claims:
    """Verify an ID token and return what it says.

    Args:
        text: The token, as the job was given it.
        issuer: Who must have signed it.
        audience: Whom it must be for: the hub's address, and nobody else besides.
        key_of: Returns a key by issuer and key id.

    Raises:
        Unauthorized: a rule is broken; it names which.
        Unavailable: the issuer cannot be asked for its keys.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unauthorized(f"an ID token has {MAX_CHARACTERS} characters at most")
    return _claims(_verified(text, issuer, audience, key_of))


def _verified(
    text: str, issuer: str, audience: str, key_of: Callable[[str, str], PyJWK]
) -> Mapping[str, Any]:
    try:
        header = jwt.get_unverified_header(text)
        if header.get("alg") not in ALGORITHMS:
            raise Unauthorized(
                f"an ID token is signed with {' or '.join(ALGORITHMS)}, got {header.get('alg')!r}"
            )
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise Unauthorized("an ID token names the key that signed it (kid)")
        found: Mapping[str, Any] = jwt.decode(
            text,
            key_of(issuer, key_id),
            algorithms=list(ALGORITHMS),
            issuer=issuer,
            audience=audience,
            leeway=LEEWAY_S,
            options={"require": list(REQUIRED), "strict_aud": True},
        )
    except jwt.InvalidAudienceError as error:
        raise Unauthorized(
            f"the ID token is for another audience; ask for one for {audience}"
        ) from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unauthorized(f"the ID token does not hold: {error}") from error
    return found


def _claims(found: Mapping[str, Any]) -> Claims:
    begins, ends = int(found["iat"]), int(found["exp"])
    if ends - begins > LONGEST_S:
        raise Unauthorized(f"an ID token lasts {LONGEST_S} s at most, got {ends - begins} s")
    if not isinstance(found["jti"], str) or not 0 < len(found["jti"]) <= MAX_JTI:
        raise Unauthorized(f"jti is a text of 1 to {MAX_JTI} characters")
    return Claims(
        jti=found["jti"],
        expires_at=dt.datetime.fromtimestamp(ends, dt.UTC),
        repository=_text(found, "repository"),
        repository_id=_number(found, "repository_id"),
        repository_owner_id=_number(found, "repository_owner_id"),
        workflow=_workflow(found),
        environment=_text(found, "environment").lower(),
        event=_text(found, "event_name"),
        ref=_text(found, "ref"),
        commit=_text(found, "sha"),
    )


def _workflow(found: Mapping[str, Any]) -> str:
    """Return the workflow's file; the job must stand in it, and not in one that it calls."""
    path, job = _text(found, "workflow_ref"), _text(found, "job_workflow_ref")
    if path != job:
        raise Unauthorized(
            f"the job is of {job}, which {path} calls; a publisher is the file that publishes"
        )
    folder = f"{found['repository']}/{_FOLDER}"
    name, at, _ = path.removeprefix(folder).partition("@")
    if not path.startswith(folder) or not at or "/" in name:
        raise Unauthorized(f"workflow_ref is {folder}<file>@<ref>, got {path[:300]!r}")
    return name


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str) or "\0" in value:
        raise Unauthorized(f"{name} is a text, got {value!r:.80}")
    return value


def _number(found: Mapping[str, Any], name: str) -> int:
    """Return an id; the forge writes them as text."""
    value = found[name]
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)) or int(value) > 2**63 - 1:
        raise Unauthorized(f"{name} is a number, got {value!r:.80}")
    return int(value)
