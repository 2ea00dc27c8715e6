"""Who is signed in, and what is theirs."""

from __future__ import annotations

import dataclasses
import datetime as dt

from allauth.socialaccount.models import SocialAccount
from django.http import HttpRequest
from django.utils import timezone

from dougong_registry.accounts.adapters import PROVIDER
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.publishing.models import Publisher
from dougong_registry.publishing.selectors import publishers_of

SHOWN = dt.timedelta(days=30)
"""How long a token that opens nothing any more is shown."""
MAX_ROWS = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trusting:
    """A plugin and whom its owner trusts with it."""

    plugin: Plugin
    publishers: list[Publisher]


def signed_in(request: HttpRequest) -> Identity | None:
    """Return whose session the request is of; staff with a password are nobody here."""
    if not request.user.is_authenticated or not request.user.is_active:
        return None
    number = (
        SocialAccount.objects.filter(user=request.user, provider=PROVIDER)
        .values_list("uid", flat=True)
        .first()
    )
    return Identity.objects.filter(provider=PROVIDER, external_id=number or "").first()


def tokens_of(identity: Identity) -> list[ApiToken]:
    """Return the tokens of a person, newest first: open ones, and those over for a month at most.

    Those that CI jobs were given are not among them.
    """
    now = timezone.now()
    rows = ApiToken.objects.filter(
        identity=identity, expires_at__gt=now - SHOWN, exchange=None
    ).exclude(scope__startswith="upload:")
    found = list(rows.order_by("-pk")[:MAX_ROWS])
    return [row for row in found if row.revoked_at is None or row.revoked_at > now - SHOWN]


def state_of(token: ApiToken) -> str:
    """Return `good`, `expired` or `revoked`."""
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.expires_at > timezone.now() else "expired"


def trust_of(identity: Identity) -> list[Trusting]:
    """Return the plugins of a person, each with its publishers."""
    plugins = Plugin.objects.filter(owner=identity).order_by("canonical")[:MAX_ROWS]
    return [
        Trusting(plugin=plugin, publishers=list(publishers_of(plugin.canonical)))
        for plugin in plugins
    ]
