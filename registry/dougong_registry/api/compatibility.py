"""Inside v1 the API only grows: what a schema had and a later one lacks, named one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return every operation, parameter, answer and field of `before` that `after` has not."""
    have = set(_names(after))
    return tuple(name for name in _names(before) if name not in have)


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            label = f"{method.upper()} {path}"
            yield label
            for parameter in operation.get("parameters", ()):
                yield f"{label} {parameter['in']} parameter {parameter['name']}"
            for status in operation["responses"]:
                yield f"{label} answer {status}"
    for name, part in schema["components"]["schemas"].items():
        for field in part.get("properties", ()):
            yield f"{name}.{field}"
