"""Pages by cursor: a place in a list is the key of a row, so what is added moves nobody's place.

No row is counted past (no OFFSET), so the thousandth page costs what the first does; but for lists
whose order no column holds, which `counted_page` is for.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, PositiveIntegerField, Q, QuerySet

from dougong_registry.columns import LARGEST_ID
from dougong_registry.problem import Missing

T = TypeVar("T")
M = TypeVar("M", bound=Model)
PAGE_LIMIT = 200
_COUNTED = "counted"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Part of a list, and the cursors of the parts beside it; empty where there is none."""

    rows: tuple[T, ...]
    next: str
    previous: str


def page_of(
    rows: QuerySet[M],
    make: Callable[[M], T],
    *,
    order: str | Sequence[str],
    limit: int,
    cursor: str,
    offset: int = 0,
) -> Page[T]:
    """Return the part of a list that a cursor names; the first without one.

    Args:
        rows: What is listed.
        make: Turns a model into a row.
        order: A column, or several that are never null and together unique; `-` before one lists
            it downwards.
        limit: Rows at most, up to 200.
        cursor: From a page before, or empty.
        offset: Rows to skip where there is no cursor.

    Raises:
        Missing: the cursor is of no place in this list.
    """
    order = [order] if isinstance(order, str) else list(order)
    fields = [_field(rows, column.removeprefix("-")) for column in order]
    key, back = _decoded(cursor, ",".join(order), fields) if cursor else (None, False)
    wanted = [_turned(column) for column in order] if back else order
    if key is not None:
        rows, offset = rows.filter(_beyond(wanted, key)), 0
    found = list(rows.order_by(*wanted)[offset : offset + limit + 1])
    more, found = len(found) > limit, found[:limit]
    if back:
        found.reverse()
    after, before = (bool(found), more) if back else (more, bool((cursor or offset) and found))
    return Page(
        rows=tuple(map(make, found)),
        next=_place(found[-1], order, back=False) if after else "",
        previous=_place(found[0], order, back=True) if before else "",
    )


def counted_page(
    select: Callable[[int, int], tuple[T, ...]], *, limit: int, cursor: str, offset: int = 0
) -> Page[T]:
    """Return part of a list whose order no column has; its cursors count rows.

    Args:
        select: Returns the rows from one place up to another.
        limit: Rows at most.
        cursor: From a page before, or empty.
        offset: Rows to skip where there is no cursor.

    Raises:
        Missing: the cursor is of no place in this list.
    """
    if cursor:
        ((offset,), _) = _decoded(cursor, _COUNTED, [PositiveIntegerField()])
    found = select(offset, offset + limit + 1)
    before = max(0, offset - limit)
    return Page(
        rows=found[:limit],
        next=_encoded(_COUNTED, [offset + limit], back=False) if len(found) > limit else "",
        previous=_encoded(_COUNTED, [before], back=False) if offset else "",
    )


def _turned(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"


def _beyond(order: Sequence[str], key: Sequence[Any]) -> Q:
    """Return what holds of the rows that come after a key: a later column, all before it equal."""
    found, equal = Q(), Q()
    for column, value in zip(order, key, strict=True):
        name, side = column.removeprefix("-"), "lt" if column.startswith("-") else "gt"
        found |= equal & Q(**{f"{name}__{side}": value})
        equal &= Q(**{name: value})
    return found


def _place(row: Model, order: Sequence[str], *, back: bool) -> str:
    key = [getattr(row, column.removeprefix("-")) for column in order]
    return _encoded(",".join(order), key, back=back)


def _encoded(order: str, key: Sequence[Any], *, back: bool) -> str:
    plain = [value.isoformat() if isinstance(value, dt.datetime) else value for value in key]
    text = json.dumps([order, plain, back], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str, order: str, fields: Sequence[Field[Any, Any]]) -> tuple[list[Any], bool]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        named, key, back = json.loads(text)
        if named != order or not isinstance(key, list) or not isinstance(back, bool):
            raise ValueError
        return [_value(field, each) for field, each in zip(fields, key, strict=True)], back
    except (ValueError, TypeError, RecursionError, OverflowError, ValidationError):
        raise Missing(
            f"the cursor {cursor[:64]!r} is of no place in this list; begin without one"
        ) from None


def _field(rows: QuerySet[M], column: str) -> Field[Any, Any]:
    made = rows.query.annotations.get(column)
    if made is not None:
        return made.output_field
    meta = rows.model._meta
    return meta.pk if column == "pk" else meta.get_field(column)  # type: ignore[return-value]


def _value(field: Field[Any, Any], given: Any) -> Any:
    if type(given) not in (str, int, float) or (isinstance(given, str) and "\0" in given):
        raise ValueError
    value = field.to_python(given)
    if isinstance(value, int) and not 0 <= value <= LARGEST_ID:
        raise OverflowError
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
