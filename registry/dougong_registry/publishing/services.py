"""Trusting a publisher and ending the trust."""

from __future__ import annotations

import re

from django.db import transaction
from django.utils import timezone
from packaging.utils import canonicalize_name

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.people.services import token_close
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused
from dougong_registry.publishing.models import Publisher

MAX_PUBLISHERS = 20
"""Of one plugin."""
_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}")


@transaction.atomic
def publisher_add(
    *,
    plugin: str,
    repository_id: int,
    repository_owner_id: int,
    workflow: str,
    environment: str = "",
    repository: str = "",
    owner: Identity | None = None,
) -> Publisher:
    """Trust a workflow of a repository to upload releases of a plugin. Again is the same.

    Args:
        plugin: Its name.
        repository_id: The forge's number of the repository.
        repository_owner_id: The forge's number of the account that has it.
        workflow: A file of `.github/workflows/`, without the folder.
        environment: The deployment environment that the job must have; empty for any.
        repository: `owner/name`, for people to read.
        owner: Whose decision it is; none for an operator's, in the name of the owner.

    Raises:
        Missing: there is no such plugin.
        Forbidden: it belongs to somebody else.
        Refused: a value does not fit.
        Conflict: it has too many.
    """
    found = _plugin(plugin, owner)
    if repository and not _REPOSITORY.fullmatch(repository):
        raise Refused(f"repository is owner/name, got {repository!r}")
    if min(repository_id, repository_owner_id) < 1:
        raise Refused("the forge's ids of repository and owner are numbers of at least 1")
    row = Publisher(
        plugin=found,
        repository_id=repository_id,
        repository_owner_id=repository_owner_id,
        repository=repository,
        workflow=workflow,
        environment=environment.strip().lower(),
        added_by=owner or found.owner,
    )
    hold_to_columns(row)
    same = Publisher.objects.filter(
        plugin=found,
        repository_id=repository_id,
        repository_owner_id=repository_owner_id,
        workflow=workflow,
        environment=row.environment,
        removed_at=None,
    ).first()
    if same is not None:
        return same
    if Publisher.objects.filter(plugin=found, removed_at=None).count() >= MAX_PUBLISHERS:
        raise Conflict(f"a plugin has {MAX_PUBLISHERS} publishers at most; remove one first")
    row.save(force_insert=True)
    _say("publisher.added", row, owner)
    return row


@transaction.atomic
def publisher_remove(*, publisher_id: int, owner: Identity | None = None) -> Publisher:
    """End the trust, and with it every token that the publisher was given. Again changes nothing.

    Raises:
        Missing: there is no such publisher.
        Forbidden: its plugin belongs to somebody else.
    """
    row = (
        Publisher.objects.select_for_update(of=("self",))
        .select_related("plugin__owner")
        .filter(pk=publisher_id)
        .first()
    )
    if row is None:
        raise Missing(f"no publisher {publisher_id}; `dougong-hub publishers list` shows them")
    _plugin(row.plugin.canonical, owner)
    if row.removed_at is not None:
        return row
    row.removed_at = timezone.now()
    row.save(update_fields=["removed_at"])
    _say("publisher.removed", row, owner)
    for token in ApiToken.objects.select_related("identity").filter(
        exchange__publisher=row, revoked_at=None, expires_at__gt=row.removed_at
    ):
        token_close(token)
    return row


def _plugin(name: str, owner: Identity | None) -> Plugin:
    """Return a plugin, which nobody changes meanwhile."""
    found = (
        Plugin.objects.select_for_update(of=("self",))
        .select_related("owner")
        .filter(canonical=canonicalize_name(name))
        .first()
    )
    if found is None:
        raise Missing(
            f"no plugin {name}; its first release makes it, with a token or a pull request"
        )
    if owner is not None and found.owner_id != owner.pk:
        raise Forbidden(f"{found.name} belongs to another submitter; ask them to trust a publisher")
    return found


def _say(verb: str, row: Publisher, owner: Identity | None) -> None:
    record(
        actor=actor_of(owner) if owner else HUB,
        verb=verb,
        target=row.plugin.canonical,
        publisher=row.pk,
        repository_id=row.repository_id,
        repository_owner_id=row.repository_owner_id,
        workflow=row.workflow,
        environment=row.environment,
    )
