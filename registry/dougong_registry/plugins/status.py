"""What a plugin's owner says of its future (PEP 792), and what a status keeps out."""

from __future__ import annotations

from django.db import transaction
from packaging.utils import canonicalize_name

from dougong_registry.audit.services import actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused

OWNED = ("active", "archived", "deprecated")
"""What an owner may choose between; a quarantine is the hub's, and ended by two people."""
_CLOSED = ("archived", "quarantined")


@transaction.atomic
def plugin_status_set(*, actor: Identity, name: str, status: str, reason: str) -> Plugin:
    """Set the status of one's own plugin. What is offered stays on offer under each of them.

    Args:
        actor: Its owner.
        name: Of the plugin, in any spelling.
        status: `active`; `archived`, which takes no further release; or `deprecated`, which does.
        reason: Shown on its page and in the index; empty for `active` alone.

    Raises:
        Missing: there is no such plugin.
        Forbidden: it belongs to someone else.
        Conflict: it is quarantined.
        Refused: no such status, or a reason where there is none to give, or none where one is due.
    """
    if status not in OWNED:
        raise Refused(f"status must be one of {', '.join(OWNED)}, got {status!r}")
    reason = reason.strip()
    if (status == "active") == bool(reason):
        needs = "takes no reason" if reason else "needs a reason: readers see it"
        raise Refused(f"{status} {needs}")
    plugin = Plugin.objects.select_for_update().filter(canonical=canonicalize_name(name)).first()
    if plugin is None:
        raise Missing(f"no plugin {name}; see /api/v1/plugins")
    if plugin.owner_id != actor.pk:
        raise Forbidden(f"{plugin.name} belongs to another submitter; ask them")
    if plugin.status == "quarantined":
        raise Conflict(f"{plugin.name} is quarantined ({plugin.status_reason}); the hub lifts that")
    if (plugin.status, plugin.status_reason) == (status, reason):
        return plugin
    plugin.status, plugin.status_reason = status, reason
    hold_to_columns(plugin)
    plugin.save(update_fields=["status", "status_reason"])
    record(actor=actor_of(actor), verb=f"plugin.{status}", target=plugin.canonical, reason=reason)
    return plugin


def closed(plugin: Plugin) -> str:
    """Say why a plugin takes no further release; empty where it does."""
    if plugin.status not in _CLOSED:
        return ""
    way_out = (
        "make it active again first" if plugin.status == "archived" else "the hub's people lift it"
    )
    return f"{plugin.name} is {plugin.status} ({plugin.status_reason}); {way_out}"
