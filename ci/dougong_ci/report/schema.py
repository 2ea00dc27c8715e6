"""The published JSON Schema of the verdict, built from its dataclasses.

`docs/schemas/verdict-1.json` is this module's output (`python -m dougong_ci.report.schema`); a test
holds the two together.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import inspect
import json
import math
import sys
import typing
from typing import Any

from dougong_ci.report import verdict

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}


def build() -> dict[str, Any]:
    """Return the schema of `dougong.verdict/1` (JSON Schema 2020-12)."""
    definitions: dict[str, Any] = {}
    root = _record(verdict.Verdict, definitions)
    root["properties"]["schema"] = {"const": verdict.SCHEMA}
    root["required"].append("schema")
    return {
        "$schema": DIALECT,
        "$id": "urn:dougong:verdict:1",
        "title": verdict.SCHEMA,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def validate(data: Any) -> None:
    """Hold parsed JSON to the schema, and refuse numbers that JSON does not have.

    Raises:
        ValueError: names the place and the rule that is broken.
    """
    if (place := _not_finite(data, "$")) is not None:
        raise ValueError(f"verdict must hold finite numbers only, got one that is not at {place}")
    error = next(iter(_validator().iter_errors(data)), None)
    if error is not None:
        raise ValueError(
            f"verdict does not follow {verdict.SCHEMA}: {error.json_path}: {error.message}"
        )


@functools.cache
def _validator() -> Any:
    # Imported on use: only the hub's upload and the tests need it.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(build())


def _record(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    notes = _field_notes().get(cls.__name__, {})
    properties: dict[str, Any] = {}
    required = []
    for field in dataclasses.fields(cls):
        properties[field.name] = _of_type(hints[field.name], definitions)
        if note := notes.get(field.name):
            properties[field.name] = {**properties[field.name], "description": note}
        if field.default is field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return {
        "type": "object",
        "description": inspect.cleandoc(cls.__doc__ or ""),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _of_type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return {"type": "array", "items": _of_type(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = _record(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    raise TypeError(f"verdict fields must be JSON types, got {hint!r}")


@functools.cache
def _field_notes() -> dict[str, dict[str, str]]:
    """Read the string below each field, which Python itself throws away."""
    notes: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(verdict)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                text = " ".join(str(after.value.value).split())
                notes.setdefault(node.name, {})[field.target.id] = text
    return notes


def _not_finite(value: Any, place: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    found = (_not_finite(child, f"{place}.{key}") for key, child in items)
    return next((where for where in found if where is not None), None)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build(), indent=2, ensure_ascii=False) + "\n")
