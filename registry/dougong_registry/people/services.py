"""Making and checking tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused, Unauthorized

PREFIX = "dgp_"
MAX_DAYS = 366
SCOPES = ("read", "submit", "submit:plugin/<name>", "yank", "admin")
"""`admin` opens whatever another does."""
_ASKED = r"(read|submit|submit:plugin/[a-z0-9]+(-[a-z0-9]+)*|yank|admin)"
_IMPLIED = {"upload": "submit"}
"""Who may submit may upload; who may only upload (`publishing`) neither cancels nor answers."""
_SEEN_EVERY = dt.timedelta(minutes=1)

revoked_all = Signal()
"""Sent with `identity` when everything that opens a door for somebody is closed."""


def token_create(*, login: str, scope: str = "submit yank", days: int = 90) -> str:
    """Make a token for a local identity, made if there is none, and return it: the only time.

    Raises:
        Refused: the login, scope or time is not allowed.
    """
    scope = hold_to_wish(scope=scope, days=days)
    _, plain = token_issue(
        identity=identity_ensure(login=login), scope=scope, lasts=dt.timedelta(days=days)
    )
    return plain


def hold_to_wish(*, scope: str, days: int) -> str:
    """Return the scopes that somebody asks for, spelt as they are kept.

    Raises:
        Refused: there is no such scope, or the time is not allowed.
    """
    if not 1 <= days <= MAX_DAYS:
        raise Refused(f"a token lasts 1 to {MAX_DAYS} days, got {days}")
    scope = " ".join(scope.split())
    if not re.fullmatch(f"{_ASKED}( {_ASKED})*", scope):
        raise Refused(f"scopes are of {', '.join(SCOPES)}, with spaces between, got {scope!r}")
    return scope


@transaction.atomic
def token_issue(
    *, identity: Identity, scope: str, lasts: dt.timedelta, actor: str = HUB
) -> tuple[ApiToken, str]:
    """Make a token that opens what the caller has looked at; return its row and, once, itself."""
    plain = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    token = ApiToken(
        identity=identity,
        token_sha256=_digest(plain),
        hint=plain[:12],
        scope=scope,
        created_at=now,
        expires_at=now + lasts,
    )
    hold_to_columns(token)
    token.save(force_insert=True)
    record(
        actor=actor,
        verb="token.created",
        target=actor_of(identity),
        hint=token.hint,
        scope=scope,
        expires_at=token.expires_at.isoformat(),
    )
    return token, plain


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


@transaction.atomic
def identity_seen(*, provider: str, external_id: str, login: str) -> Identity:
    """Return who has an id at a provider that has just said which login goes with it.

    A login changes hands, an id does not. So the person keeps everything under a new login, and
    whoever was shown by it before is shown by login and id until they come again.

    Raises:
        Refused: the login has other characters than letters, digits and hyphens.
    """
    identity = identity_ensure(login=login, provider=provider, external_id=external_id)
    others = Identity.objects.filter(provider=provider, login=login).exclude(pk=identity.pk)
    for other in others:
        _renamed(other, f"{login[:40]}-{other.external_id}"[:64])
    if identity.login != login:
        _renamed(identity, login)
    return identity


def _renamed(identity: Identity, login: str) -> None:
    before, identity.login = identity.login, login
    hold_to_columns(identity)
    identity.save(update_fields=["login"])
    record(
        actor=HUB, verb="identity.renamed", target=actor_of(identity), before=before, after=login
    )


def token_authenticate(*, plain: str, scope: str, plugin: str = "") -> Identity:
    """Return whose token this is.

    The token is found by its hash, so no comparison of secrets leaks where they differ.

    Args:
        plain: The token.
        scope: What it must open.
        plugin: PEP 503 name of the plugin that is acted on, which a narrower token may name;
            `*` while it is not known yet.

    Raises:
        Unauthorized: unknown, expired or revoked.
        Forbidden: of other scopes.
    """
    token = ApiToken.objects.select_related("identity").filter(token_sha256=_digest(plain)).first()
    now = timezone.now()
    if token is None or token.revoked_at is not None or token.expires_at <= now:
        raise Unauthorized(
            "the token is unknown, expired or revoked; make a new one with "
            "`dougong-hub token_create --login LOGIN`"
        )
    if not _opens(token.scope.split(), scope, plugin):
        raise Forbidden(f"this needs a token of scope {scope}, got one of {token.scope}")
    if token.last_used_at is None or now - token.last_used_at > _SEEN_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.identity


def _opens(scopes: Sequence[str], scope: str, plugin: str) -> bool:
    if scope in _IMPLIED and _opens(scopes, _IMPLIED[scope], plugin):
        return True
    narrow = f"{scope}:plugin/"
    if plugin == "*" and any(each.startswith(narrow) for each in scopes):
        return True
    return not {"admin", scope, narrow + plugin}.isdisjoint(scopes)


def token_revoke(*, hint: str) -> ApiToken:
    """Close a token for ever. Revoking it again changes nothing.

    Args:
        hint: The first characters of the token, as `dougong-hub tokens list` shows them.

    Raises:
        Missing: no token begins so.
        Conflict: several do.
    """
    if not hint.startswith(PREFIX) or len(hint) < 8:
        raise Missing(f"name a token by its first 8 characters or more, got {hint!r}")
    with transaction.atomic():
        found = list(ApiToken.objects.select_related("identity").filter(hint__startswith=hint[:12]))
        if len(found) > 1:
            raise Conflict(f"{len(found)} tokens begin with {hint}; give more characters")
        if not found:
            raise Missing(f"no token begins with {hint}; `dougong-hub tokens list` shows them")
        (token,) = found
        token_close(token)
    return token


@transaction.atomic
def token_close(token: ApiToken, actor: str = HUB) -> None:
    """Close a token that was looked up. Closing it again changes nothing."""
    now = timezone.now()
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        token.revoked_at = now
        target = actor_of(token.identity)
        record(actor=actor, verb="token.revoked", target=target, hint=token.hint)


@transaction.atomic
def everything_revoke(*, identity: Identity, actor: str = HUB) -> int:
    """Close every token of somebody that is open, and have their sessions ended.

    Returns:
        How many tokens were closed.
    """
    now = timezone.now()
    closed = ApiToken.objects.filter(identity=identity, revoked_at=None, expires_at__gt=now).update(
        revoked_at=now
    )
    revoked_all.send(sender=Identity, identity=identity)
    record(actor=actor, verb="token.all_revoked", target=actor_of(identity), tokens=closed)
    return closed


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
