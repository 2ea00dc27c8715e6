"""The hash of a record, which the audit log holds: a ledger that differs from it was changed."""

from __future__ import annotations

import hashlib
import json

from django.db import models

from dougong_registry.contributions.models import Affiliation, Contribution, RoleAct, Sponsorship

SEALED: dict[type[models.Model], tuple[str, ...]] = {
    Contribution: ("contribution.recorded", "contribution.confirmed", "contribution.voided"),
    RoleAct: ("role.grant", "role.restore", "role.end"),
    Sponsorship: ("role.sponsored",),
    Affiliation: ("affiliation.stated",),
}
"""Tables whose every row has one entry of these verbs, with the row's hash as `sha256`."""


def digest(row: models.Model) -> str:
    """Return the sha256 of everything in a row but its key, the same on both databases."""
    values = {
        field.attname: field.value_from_object(row)
        if isinstance(field, models.JSONField)
        else field.value_to_string(row)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    text = json.dumps([row._meta.label_lower, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
