"""Searching operators: words, filters, facets."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from dougong_registry.boards.rows import OperatorRow
from dougong_registry.paging import Page, counted_page, page_of
from dougong_registry.search.backends import backend
from dougong_registry.search.models import Entry
from dougong_registry.search.rows import FACETS, FacetValue, Found, Query
from dougong_registry.search.spelling import corrected
from dougong_registry.search.words import query_words

_COMBINED = ("family", "contract", "outcome", "devices", "dtypes")
_FIELDS = tuple(field.name for field in dataclasses.fields(OperatorRow))
_UNTIMED = -1.0
_ORDERS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "newest": ("-published_at", "name"),
    "fastest": ("-speed", "name"),
}


def search(query: Query, *, limit: int, offset: int = 0, cursor: str = "") -> Found:
    """Return one page of the operators that match, and what else could be chosen.

    Args:
        query: Words and filters.
        limit: Rows at most.
        offset: Rows to skip where there is no cursor.
        cursor: Of a page before. In the order of relevance it counts rows, as an offset does:
            how relevant a row is changes with every other.

    Raises:
        Missing: the cursor is of no place in this list.
    """
    asked = query_words(query.q)
    facets = _facets(query, asked)
    instead = ""
    if asked and not any(facets["family"]):
        meant = corrected(asked)
        if meant != asked:
            asked, instead = meant, " ".join(meant)
            facets = _facets(query, asked)
    page = _page(query, asked, limit, offset, cursor)
    return Found(
        results=page.rows,
        next=page.next,
        previous=page.previous,
        total=_total(query, facets),
        facets=facets,
        corrected=instead if any(facets.values()) else "",
    )


def operators_page(query: Query, *, limit: int, offset: int = 0) -> tuple[OperatorRow, ...]:
    """Return one page of the operators that match, and nothing else."""
    return _page(query, query_words(query.q), limit, offset, "").rows


def newest(limit: int) -> tuple[OperatorRow, ...]:
    """Return the operators published last."""
    return operators_page(Query(ordering="newest"), limit=limit)


def named(names: Sequence[str]) -> tuple[OperatorRow, ...]:
    """Return the operators of these names, of those there are."""
    return _rows(Entry.objects.filter(name__in=names))


def entry(name: str) -> OperatorRow | None:
    """Return the row of one operator, if there is one of this name."""
    return next(iter(named([name])), None)


def _worded(asked: Sequence[str]) -> QuerySet[Entry]:
    entries = Entry.objects.all()
    return backend(connection.vendor).narrow(entries, asked) if asked else entries


def _filtered(query: Query, asked: Sequence[str]) -> QuerySet[Entry]:
    condition = Q()
    for name in FACETS:
        if value := getattr(query, name):
            condition &= _condition(name, value)
    return _worded(asked).filter(condition)


def _condition(name: str, value: str) -> Q:
    if name == "contract":
        return Q(contract=value) | Q(contract__startswith=f"{value}@")
    if name == "verdict":
        return Q(outcome="" if value == "none" else value)
    if name in {"device", "dtype"}:
        return Q(**{f"{name}s__contains": f" {value} "})
    return Q(**{name: value})


def _page(
    query: Query, asked: Sequence[str], limit: int, offset: int, cursor: str
) -> Page[OperatorRow]:
    entries = _filtered(query, asked)
    if asked and query.ordering in {"", "relevance"}:
        ranked = entries.order_by(backend(connection.vendor).relevance(asked), "name")
        return counted_page(
            lambda start, stop: _rows(ranked[start:stop]),
            limit=limit, cursor=cursor, offset=offset,
        )  # fmt: skip
    order = _ORDERS.get(query.ordering, ("name",))
    if "-speed" in order:
        entries = entries.annotate(speed=Coalesce("best_speedup", _UNTIMED))
    rows = entries.only(*_FIELDS)
    return page_of(rows, _row, order=order, limit=limit, cursor=cursor, offset=offset)


def _row(found: Entry) -> OperatorRow:
    return OperatorRow(**{name: getattr(found, name) for name in _FIELDS})


def _rows(entries: QuerySet[Entry]) -> tuple[OperatorRow, ...]:
    return tuple(
        OperatorRow(**dict(zip(_FIELDS, row, strict=True))) for row in entries.values_list(*_FIELDS)
    )


def _facets(query: Query, asked: Sequence[str]) -> dict[str, tuple[FacetValue, ...]]:
    """Count each facet under all filters but its own, from one grouped query."""
    combined = _worded(asked).values_list(*_COMBINED).annotate(count=Count("pk")).order_by()
    counted: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for *values, count in combined:
        offered = _offered(*values)
        failing = [name for name in FACETS if not _meets(getattr(query, name), offered[name])]
        if len(failing) > 1:
            continue
        for name in failing or FACETS:
            counted[name].update(dict.fromkeys(offered[name], count))
    return {
        name: tuple(
            FacetValue(value=value, count=count)
            for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )
        for name, counts in counted.items()
    }


def _offered(
    family: str, contract: str, outcome: str, devices: str, dtypes: str
) -> dict[str, tuple[str, ...]]:
    return {
        "family": (family,),
        "contract": (contract,),
        "verdict": (outcome or "none",),
        "device": tuple(devices.split()),
        "dtype": tuple(dtypes.split()),
    }


def _meets(wanted: str, offered: Sequence[str]) -> bool:
    if not wanted or wanted in offered:
        return True
    return any(value.startswith(f"{wanted}@") for value in offered)


def _total(query: Query, facets: dict[str, tuple[FacetValue, ...]]) -> int:
    # Every operator has one family; of the chosen one only its own count is meant.
    return sum(each.count for each in facets["family"] if query.family in {"", each.value})
