"""Publishing: a release from a wheel, and the operators found in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from packaging.utils import canonicalize_name

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import (
    FAMILIES,
    Artifact,
    OperatorName,
    OperatorRecord,
    Plugin,
    Provider,
    Release,
)
from dougong_registry.plugins.names import confusable_key, refuse_reserved
from dougong_registry.plugins.status import closed
from dougong_registry.plugins.wheel import WheelInfo
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused
from dougong_registry.requests.rates import rate_take

MAX_OPERATORS = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,38}/[a-z0-9][a-z0-9_.-]{0,63}")
_CONTRACT = re.compile(rf"({'|'.join(FAMILIES)})\.[a-z0-9_]+@[1-9][0-9]*")


def release_create(*, owner: Identity, wheel: WheelInfo, sha256: str, size_bytes: int) -> Release:
    """Record a release and its bytes. Runs inside the caller's transaction.

    Raises:
        Conflict: the name resembles another's, the version or file name has other bytes, or the
            plugin is archived or quarantined.
        Forbidden: the plugin belongs to someone else.
    """
    plugin = _plugin_ensure(owner=owner, wheel=wheel)
    if Release.objects.filter(plugin=plugin, version=wheel.version).exists():
        raise Conflict(
            f"{plugin.name} {wheel.version} is on the hub with other bytes; releases are sealed, "
            "so publish the change under a new version"
        )
    if Artifact.objects.filter(filename=wheel.filename).exists():
        raise Conflict(f"{wheel.filename} is on the hub with other bytes; use a new version")
    artifact = Artifact(
        sha256=sha256,
        size_bytes=size_bytes,
        filename=wheel.filename,
        core_metadata=wheel.core_metadata,
        core_metadata_sha256=hashlib.sha256(wheel.core_metadata.encode()).hexdigest(),
    )
    release = Release(
        plugin=plugin,
        version=wheel.version,
        artifact=artifact,
        license=wheel.license,
        requires_python=wheel.requires_python,
    )
    for row in (artifact, release):
        hold_to_columns(row)
    artifact.save(force_insert=True)
    release.artifact = artifact
    release.save(force_insert=True)
    return release


def _plugin_ensure(*, owner: Identity, wheel: WheelInfo) -> Plugin:
    canonical = canonicalize_name(wheel.distribution)
    plugin = Plugin.objects.filter(canonical=canonical).first()
    if plugin is None:
        refuse_reserved(canonical)
        rate_take(rate="plugin", sender=actor_of(owner))
        key = confusable_key(canonical)
        if alike := Plugin.objects.filter(confusable_key=key).first():
            raise Conflict(
                f"the name {wheel.distribution} reads like {alike.name}, which is taken; "
                "choose one that cannot be confused with it"
            )
        plugin = Plugin(
            name=wheel.distribution,
            canonical=canonical,
            confusable_key=key,
            summary=wheel.summary,
            owner=owner,
        )
        hold_to_columns(plugin)
        plugin.save(force_insert=True)
    elif plugin.owner_id != owner.pk:
        raise Forbidden(f"{plugin.name} belongs to another submitter; ask them to publish it")
    elif why := closed(plugin):
        raise Conflict(why)
    elif plugin.summary != wheel.summary:
        plugin.summary = wheel.summary
        plugin.save(update_fields=["summary"])
    rate_take(rate="release", sender=actor_of(owner))
    return plugin


def release_publish(*, release: Release) -> None:
    """Offer a release to installers, if it is sealed and not offered yet."""
    sealed = Release.objects.filter(
        pk=release.pk, published_at__isnull=True, sealed_at__isnull=False
    )
    if sealed.update(published_at=timezone.now()):
        record(actor=HUB, verb="release.published", target=_named(release))


@transaction.atomic
def release_yank(*, actor: Identity, name: str, version: str, reason: str) -> Release:
    """Take a release out of what installers choose from; who pins it still gets it (PEP 592).

    An empty reason puts it back.

    Raises:
        Missing: there is no such release.
        Forbidden: the plugin belongs to someone else.
        Refused: the reason is too long.
    """
    release = (
        Release.objects.select_for_update(of=("self",))
        .select_related("plugin", "artifact")
        .filter(plugin__canonical=canonicalize_name(name), version=version)
        .first()
    )
    if release is None:
        raise Missing(f"no release {name} {version}; its page lists the versions there are")
    if release.plugin.owner_id != actor.pk:
        raise Forbidden(f"{release.plugin.name} belongs to another submitter; ask them to yank it")
    release.yanked_reason = reason
    release.yanked_at = (release.yanked_at or timezone.now()) if reason else None
    hold_to_columns(release)
    release.save(update_fields=["yanked_reason", "yanked_at"])
    record(
        actor=actor_of(actor),
        verb="release.yanked" if reason else "release.unyanked",
        target=_named(release),
        reason=reason,
    )
    return release


def _named(release: Release) -> str:
    return f"{release.plugin.canonical} {release.version}"


def operators_discover(
    *,
    release: Release,
    owner: Identity,
    operators: Sequence[Mapping[str, Any]],
    wanted: Sequence[str] = (),
) -> list[OperatorRecord]:
    """Record the operators that the judge found in a release. The same list twice is one.

    Args:
        release: Where they were found.
        owner: Whose release it is.
        operators: Their metadata.
        wanted: Names of those that were looked for, of a release discovered before; empty means
            all. The others stay as they are.

    Raises:
        Refused: an operator breaks a rule, or the list differs from the one recorded before.
        Conflict: a name is another plugin's, or its provider another submitter's.
    """
    names = [str(operator.get("name", "")) for operator in operators]
    if len(set(names)) != len(names) or len(names) > MAX_OPERATORS:
        raise Refused(f"operators must have different names, {MAX_OPERATORS} at most")
    known = {record.name: record for record in release.operators.all()}
    if known:
        expected = set(wanted) or set(known)
        if expected != set(names):
            raise Refused(
                f"this release was discovered before with {', '.join(sorted(expected))}; "
                f"now with {', '.join(sorted(names))}"
            )
        return [known[name] for name in names]
    return [
        _operator_record(release=release, owner=owner, metadata=dict(operator))
        for operator in operators
    ]


def _operator_record(
    *, release: Release, owner: Identity, metadata: dict[str, Any]
) -> OperatorRecord:
    name, contract = str(metadata.get("name", "")), str(metadata.get("contract", ""))
    if not _NAME.fullmatch(name):
        raise Refused(f"an operator is named provider/name in lower case, got {name!r}")
    if not (match := _CONTRACT.fullmatch(contract)):
        raise Refused(f"{name}: contract must be family.kind@version, got {contract!r}")
    record = OperatorRecord(
        release=release,
        claimed_name=_name_ensure(name=name, owner=owner, plugin=release.plugin),
        name=name,
        family=match[1],
        contract=contract,
        **{
            field: str(metadata.get(field, ""))
            for field in ("variant", "summary", "paper", "license")
        },
        metadata=metadata,
    )
    hold_to_columns(record)
    record.save(force_insert=True)
    return record


def _name_ensure(*, name: str, owner: Identity, plugin: Plugin) -> OperatorName:
    claimed = OperatorName.objects.select_related("plugin").filter(name=name).first()
    if claimed is not None:
        if claimed.plugin_id != plugin.pk:
            raise Conflict(f"operator {name} belongs to {claimed.plugin.name}; choose another name")
        return claimed
    provider_name = name.partition("/")[0]
    key = confusable_key(provider_name)
    provider = Provider.objects.filter(confusable_key=key).first()
    if provider is None:
        provider = Provider.objects.create(name=provider_name, confusable_key=key, owner=owner)
    elif provider.name != provider_name or provider.owner_id != owner.pk:
        raise Conflict(
            f"the provider name {provider_name} is, or reads like, {provider.name}, which belongs "
            "to another submitter; use your own"
        )
    return OperatorName.objects.create(name=name, provider=provider, plugin=plugin)
