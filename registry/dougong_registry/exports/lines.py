"""One row as one line of JSON, and back; the same bytes from SQLite and PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from dougong_registry.exports.policy import MADE_ANEW, ModelType, exported_fields
from dougong_registry.problem import Refused


def to_line(row: models.Model) -> bytes:
    """Return a row as canonical JSON: keys in order, no spaces, UTF-8, a line feed."""
    values = {field.attname: _value(field, row) for field in exported_fields(type(row))}
    # PostgreSQL does not keep the order of keys in JSON columns, so there is one order for all.
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def from_line(model: ModelType, line: bytes, where: str) -> models.Model:
    """Return the row that a line holds, not saved.

    Raises:
        Refused: the line is not a row of this table.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise Refused(f"{where} is not JSON: {error}") from error
    fields = {field.attname: field for field in exported_fields(model)}
    if not isinstance(values, dict) or set(values) != set(fields):
        raise Refused(f"{where} must have exactly the columns {', '.join(sorted(fields))}")
    try:
        read = {name: fields[name].to_python(value) for name, value in values.items()}
    except ValidationError as error:
        raise Refused(f"{where} does not fit: {' '.join(error.messages)}") from error
    return model(**read, **_made_anew(model))


def _value(field: models.Field[Any, Any], row: models.Model) -> object:
    value = field.value_from_object(row)
    if isinstance(field, models.JSONField) or isinstance(value, str | int | float | None):
        return value
    return field.value_to_string(row)


def _made_anew(model: ModelType) -> dict[str, str]:
    label = model._meta.label_lower
    return {name: make() for (table, name), make in MADE_ANEW.items() if table == label}
