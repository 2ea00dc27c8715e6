"""Holding a row to its columns before the database does, so that both engines refuse alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from dougong_registry.problem import Refused

LARGEST_ID = 2**63 - 1
"""Of a row, on both engines."""


def no_row_has(named: Mapping[str, Any]) -> str:
    """Say why no row can have what an address names; empty where one can."""
    for name, value in named.items():
        if isinstance(value, int) and value > LARGEST_ID:
            return f"{name} is at most {LARGEST_ID}"
        if _holds_nul(value):
            return f"the {name} in the address holds the NUL character"
    return ""


def hold_to_columns(row: models.Model) -> None:
    """Check lengths, choices and characters of a row that is about to be saved.

    SQLite takes any length and the NUL character where PostgreSQL takes neither.

    Raises:
        Refused: names the fields and what is wrong with each.
    """
    for field in row._meta.concrete_fields:
        if _holds_nul(getattr(row, field.attname)):
            raise Refused(f"{field.name} must not hold the NUL character")
    related = [field.name for field in row._meta.concrete_fields if field.is_relation]
    try:
        row.clean_fields(exclude=related)
    except ValidationError as error:
        parts = [f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items()]
        raise Refused(f"{row._meta.verbose_name} does not fit: {'; '.join(parts)}") from error


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(map(_holds_nul, value))
    return False
