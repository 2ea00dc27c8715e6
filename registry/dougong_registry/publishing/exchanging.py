"""An ID token of a CI job for a token of the hub: once, for minutes, for one plugin's uploads."""

from __future__ import annotations

import dataclasses
import datetime as dt

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from packaging.utils import canonicalize_name

from dougong_registry.audit.services import HUB, record
from dougong_registry.people.services import token_issue
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Conflict, Forbidden, Problem, Unavailable
from dougong_registry.publishing.claims import Claims
from dougong_registry.publishing.models import Exchange, Publisher
from dougong_registry.publishing.selectors import publishers_of

LASTS = dt.timedelta(minutes=15)
FORGET_AFTER = dt.timedelta(days=1)
"""Past the end of an ID token; it would be refused for its age long before."""
EVENTS = ("push", "release", "workflow_dispatch", "schedule")
"""What may start a job that publishes. What a stranger can start, as pull_request, is none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a job is given."""

    token: str
    scope: str
    expires_at: dt.datetime


def exchange(*, id_token: str, plugin: str) -> Given:
    """Return a token that uploads releases of one plugin, for the ID token of a trusted job.

    A refusal is put down in the audit log.

    Raises:
        Unauthorized: the ID token does not hold.
        Forbidden: it holds, and nobody trusts this job with this plugin.
        Conflict: it was exchanged before.
        Unavailable: the issuer cannot be asked for its keys.
    """
    canonical = canonicalize_name(plugin)[:128]
    claims: Claims | None = None
    try:
        # Before the issuer is asked for anything: most hubs and plugins trust no CI.
        trusted = list(publishers_of(canonical))
        if not trusted:
            raise Forbidden(
                f"no publisher is trusted with {canonical}; its owner adds one (docs/accounts.md)"
            )
        claims = _read(id_token)
        return _give(_match(trusted, claims), claims)
    except Unavailable:
        raise
    except Problem as error:
        _refused(canonical, error, claims)
        raise


def _read(id_token: str) -> Claims:
    # Loaded with the first job that comes: most web processes never see one.
    from dougong_registry.publishing.idtokens import read
    from dougong_registry.publishing.keys import key_of

    return read(
        id_token,
        issuer=settings.OIDC_ISSUER,
        audience=settings.DOUGONG_HUB_URL,
        key_of=key_of,
    )


def _match(trusted: list[Publisher], claims: Claims) -> Publisher:
    """Return the publisher that the job is of, the one that asks for an environment first.

    Raises:
        Forbidden: there is none; it says in what the nearest one differs.
    """
    if claims.event not in EVENTS:
        raise Forbidden(
            f"a job that publishes is started by {', '.join(EVENTS)}, this one by {claims.event!r}"
        )
    differing = [(row, _differs(row, claims)) for row in trusted]
    good = [row for row, (_, why) in differing if not why]
    if good:
        return max(good, key=lambda row: bool(row.environment))
    _, nearest = max((differs for _, differs in differing), key=lambda differs: differs[0])
    raise Forbidden(f"{trusted[0].plugin.name} trusts another job: {nearest}")


def _differs(row: Publisher, claims: Claims) -> tuple[int, str]:
    """Say how far a job agrees with a publisher, and where it does not; empty where it is of it."""
    asked = (
        ("repository_id", row.repository_id, claims.repository_id),
        ("repository_owner_id", row.repository_owner_id, claims.repository_owner_id),
        ("workflow", row.workflow, claims.workflow),
        ("environment", row.environment, claims.environment if row.environment else ""),
    )
    for place, (name, wanted, found) in enumerate(asked):
        if wanted != found:
            return place, f"{name} must be {wanted!r}, the ID token says {found!r}"
    return len(asked), ""


def _give(publisher: Publisher, claims: Claims) -> Given:
    """Spend the ID token and make the hub's, both or neither."""
    scope = f"upload:plugin/{publisher.plugin.canonical}"
    try:
        with transaction.atomic():
            # Nobody takes the trust away while it is being used.
            Publisher.objects.select_for_update().get(pk=publisher.pk, removed_at=None)
            owner = Plugin.objects.select_related("owner").get(pk=publisher.plugin_id).owner
            token, plain = token_issue(
                identity=owner,
                scope=scope,
                lasts=LASTS,
                actor=f"repository:{claims.repository_id}",
            )
            Exchange.objects.create(
                issuer=settings.OIDC_ISSUER,
                jti=claims.jti,
                expires_at=claims.expires_at,
                publisher=publisher,
                token=token,
            )
            record(
                actor=f"repository:{claims.repository_id}",
                verb="publisher.used",
                target=publisher.plugin.canonical,
                publisher=publisher.pk,
                hint=token.hint,
                repository=claims.repository[:140],
                ref=claims.ref[:255],
                commit=claims.commit[:64],
            )
    except IntegrityError as error:
        if not Exchange.objects.filter(issuer=settings.OIDC_ISSUER, jti=claims.jti).exists():
            raise
        raise Conflict(
            "this ID token was exchanged before; each opens the door once, ask for another"
        ) from error
    except Publisher.DoesNotExist as error:
        raise Forbidden("the publisher was removed a moment ago") from error
    return Given(token=plain, scope=scope, expires_at=token.expires_at)


def _refused(canonical: str, error: Problem, claims: Claims | None) -> None:
    verified = {"repository_id": claims.repository_id, "jti": claims.jti} if claims else {}
    actor = f"repository:{claims.repository_id}" if claims else HUB
    record(
        actor=actor,
        verb="publisher.refused",
        target=canonical,
        rule=error.detail[:500].replace("\0", " "),
        **verified,
    )


def exchanges_forget() -> int:
    """Take away what no replay can use any more; return how many there were."""
    done, _ = Exchange.objects.filter(expires_at__lt=timezone.now() - FORGET_AFTER).delete()
    return done
