"""What leaves the hub: every table of it, but for what opens a door or is only of the moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.db import models

from dougong_registry.submissions.queue import new_nonce

LEFT_OUT: Mapping[str, str] = {
    "people.apitoken": "the hash of a token could be tried offline; people make new tokens",
    "publishing.exchange": "it is of tokens, and of this hub's audience only",
    "requests.allowance": "it holds network addresses; the importing hub counts anew",
    "requests.reply": "an answer is its asker's own, and is kept a day",
}
"""Tables that are private and never leave, and why."""

# `advisories.signingkey` leaves: it has public keys only, and old lines of the feed are checked
# with them for ever. The private half is a file in DOUGONG_HOME, which no export reads, so the hub
# that imports signs with a key of its own: it is made, and added to the table, on first use.

# What keeps boards true leaves too (retirements, campaigns, samples, second runs, notices): nothing
# of it is secret; a sample's seed is a hash of the audit log, by which anybody may draw it again.

PASSING: Mapping[str, str] = {
    "fleet.capability": "a runner says it anew to the importing hub, at its first heartbeat",
}
"""Tables of what is so at this moment: nothing secret, but two exports would never be the same."""

DERIVED = frozenset(
    {
        "boards.heading",
        "boards.place",
        "contributions.month",
        "contributions.standing",
        "search.entry",
        "search.spelling",
    }
)
"""Tables that are computed from the others: the importing hub fills them itself."""

MADE_ANEW: Mapping[tuple[str, str], Callable[[], str]] = {
    # Whoever holds the nonce of a job may report on it; an imported job is claimed with another.
    ("submissions.job", "nonce"): new_nonce,
    ("forge.build", "nonce"): new_nonce,
}
"""Columns that never leave, and what fills them in the hub that imports."""

ModelType = type[models.Model]


def hub_models() -> list[ModelType]:
    """Return the models of every table of the hub, by label."""
    found = [
        model
        for config in apps.get_app_configs()
        if config.name.startswith("dougong_registry.")
        for model in config.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]
    return sorted(found, key=lambda model: model._meta.label_lower)


def exported_models() -> list[ModelType]:
    """Return the models whose rows leave, by label."""
    stay = DERIVED | LEFT_OUT.keys() | PASSING.keys()
    return [model for model in hub_models() if model._meta.label_lower not in stay]


def exported_fields(model: ModelType) -> Iterator[models.Field[Any, Any]]:
    """Yield the columns of a model that leave."""
    for field in model._meta.concrete_fields:
        private = (model._meta.label_lower, field.attname) in MADE_ANEW
        if not private and not field.generated:
            yield field


def private_names() -> list[str]:
    """Return the tables and columns that stay, for the manifest."""
    columns = [f"{label}.{name}" for label, name in MADE_ANEW]
    return sorted([*LEFT_OUT, *columns])
