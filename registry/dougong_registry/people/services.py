"""Making and checking tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction
from django.utils import timezone

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.problem import Forbidden, Refused, Unauthorized

PREFIX = "dgp_"
MAX_DAYS = 366


def token_create(*, login: str, scope: str = "submit", days: int = 90) -> str:
    """Make a token for a local identity, made if there is none, and return it: the only time.

    Raises:
        Refused: the login, scope or time is not allowed.
    """
    if not 1 <= days <= MAX_DAYS:
        raise Refused(f"a token lasts 1 to {MAX_DAYS} days, got {days}")
    if scope not in ApiToken.Scope.values:
        raise Refused(f"scope must be one of {', '.join(ApiToken.Scope.values)}, got {scope!r}")
    identity = identity_ensure(login=login)
    plain = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        token = ApiToken.objects.create(
            identity=identity,
            token_sha256=_digest(plain),
            hint=plain[:12],
            scope=scope,
            created_at=now,
            expires_at=now + dt.timedelta(days=days),
        )
        record(
            actor=HUB,
            verb="token.created",
            target=actor_of(identity),
            hint=token.hint,
            scope=scope,
            expires_at=token.expires_at.isoformat(),
        )
    return plain


def identity_ensure(*, login: str, provider: str = "local", external_id: str = "") -> Identity:
    """Return the identity, made if there is none.

    Raises:
        Refused: the login has other characters than letters, digits and hyphens.
    """
    if not login or not login.replace("-", "a").isalnum() or not login.isascii() or login[0] == "-":
        raise Refused(f"a login has letters, digits and hyphens only, got {login!r}")
    hold_to_columns(Identity(provider=provider, external_id=external_id or login, login=login))
    identity, _ = Identity.objects.get_or_create(
        provider=provider, external_id=external_id or login, defaults={"login": login}
    )
    return identity


def token_authenticate(*, plain: str, scope: str) -> Identity:
    """Return whose token this is.

    The token is found by its hash, so no comparison of secrets leaks where they differ.

    Raises:
        Unauthorized: unknown, expired or revoked.
        Forbidden: of another scope.
    """
    token = ApiToken.objects.select_related("identity").filter(token_sha256=_digest(plain)).first()
    now = timezone.now()
    if token is None or token.revoked_at is not None or token.expires_at <= now:
        raise Unauthorized(
            "the token is unknown, expired or revoked; make a new one with "
            "`dougong-hub token_create --login LOGIN`"
        )
    if token.scope != scope:
        raise Forbidden(f"this needs a token of scope {scope}, got one of {token.scope}")
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.identity


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
