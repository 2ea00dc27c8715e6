"""Pages by cursor: a place in a list is the key of a row, so what is added moves nobody's place.

No row is counted past (no OFFSET): the thousandth page costs what the first does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import TypeVar

from django.db.models import Model, QuerySet

from dougong_registry.boards.list_rows import Page
from dougong_registry.problem import Missing

T = TypeVar("T")
M = TypeVar("M", bound=Model)
PAGE_LIMIT = 200
_LARGEST_KEY = 2**63 - 1


def page_of(
    rows: QuerySet[M], make: Callable[[M], T], *, order: str, limit: int, cursor: str
) -> Page[T]:
    """Return the part of a list that a cursor names; the first without one.

    Args:
        rows: What is listed.
        make: Turns a model into a row.
        order: A unique column; `-` before it lists downwards.
        limit: Rows at most, up to 200.
        cursor: From a page before, or empty.

    Raises:
        Missing: the cursor is of no place in this list.
    """
    column, down = order.removeprefix("-"), order.startswith("-")
    key, back = _decoded(cursor, order) if cursor else (None, False)
    up = down is back
    if key is not None:
        rows = rows.filter(**{f"{column}__{'gt' if up else 'lt'}": key})
    found = list(rows.order_by(column if up else f"-{column}")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    if back:
        found.reverse()
    after, before = (bool(found), more) if back else (more, bool(cursor and found))
    return Page(
        rows=tuple(map(make, found)),
        next=_encoded(found[-1], order, back=False) if after else "",
        previous=_encoded(found[0], order, back=True) if before else "",
    )


def _encoded(row: Model, order: str, *, back: bool) -> str:
    key = getattr(row, order.removeprefix("-"))
    text = json.dumps([order, key, back], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str, order: str) -> tuple[str | int, bool]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        named, key, back = json.loads(text)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        named, key, back = "", None, None
    kind = int if order.endswith("pk") else str
    fits = named == order and type(key) is kind and isinstance(back, bool)
    if not fits or (kind is int and abs(key) > _LARGEST_KEY) or (kind is str and "\0" in key):
        raise Missing(f"the cursor {cursor[:64]!r} is of no place in this list; begin without one")
    return key, back
