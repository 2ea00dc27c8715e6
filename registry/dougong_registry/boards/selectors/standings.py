"""The boards: who stands where on one machine, in one dtype and mode."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet

from dougong_registry.boards.models import Heading, Place
from dougong_registry.boards.ranking import (
    Standing,
    is_approximate,
    pareto,
    rank,
)
from dougong_registry.boards.rows import Board, BoardSummary, RankedRow, UnrankedRow
from dougong_registry.fleet.editions import Edition, editions, stale_words, version_key
from dougong_registry.paging import PAGE_LIMIT, Page, page_of
from dougong_registry.problem import Missing
from dougong_registry.suites.selectors import (
    RETIRED,
    retired_suites,
    retirement_dates,
    state_on,
)

ROWS = 100
"""Of a page of a board."""
DRAWN = 40
"""Points drawn beside the frontier: the fastest; more would hide each other."""
_KEY = ("contract", "suite", "hardware_class", "dtype", "mode")
_SUMMARY = tuple(
    field.name
    for field in dataclasses.fields(BoardSummary)
    if field.name not in {"entries", "retired"}
)
_MADE = {"rank", "stale", "confirming"}
_RANKED = tuple(field.name for field in dataclasses.fields(RankedRow) if field.name not in _MADE)
_MARKED = ("torch_version", "judge_version", "confirmed")
CONFIRMING = "first place under confirmation: no second run has agreed yet"
_UNRANKED = tuple(field.name for field in dataclasses.fields(UnrankedRow))


def boards_list(
    *,
    family: str = "",
    hardware: str = "",
    suite: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> tuple[BoardSummary, ...]:
    """Return the boards that rank someone, in the order of contract, machine, dtype, mode."""
    headings = _led(family=family, hardware=hardware, suite=suite).order_by(*_KEY)
    return tuple(
        map(_summary_maker(), headings[offset : None if limit is None else offset + limit])
    )


def boards_page(
    *, family: str = "", hardware: str = "", limit: int = PAGE_LIMIT, cursor: str = ""
) -> Page[BoardSummary]:
    """Return one page of the same."""
    headings = _led(family=family, hardware=hardware)
    return page_of(headings, _summary_maker(), order=_KEY, limit=limit, cursor=cursor)


def boards_led(limit: int) -> tuple[BoardSummary, ...]:
    """Return the boards with the widest certain leads."""
    return tuple(map(_summary_maker(), _led().order_by("-leader_ci_low", *_KEY)[:limit]))


def _led(*, family: str = "", hardware: str = "", suite: str = "") -> QuerySet[Heading]:
    headings = Heading.objects.filter(ranked__gt=0)
    if family:
        headings = headings.filter(contract__startswith=f"{family}.")
    if hardware:
        headings = headings.filter(hardware_class=hardware)
    return headings.filter(suite=suite) if suite else headings


def _summary_maker() -> Callable[[Heading], BoardSummary]:
    retired = set(retired_suites())

    def make(heading: Heading) -> BoardSummary:
        values = {name: getattr(heading, name) for name in _SUMMARY}
        return BoardSummary(**values, entries=heading.ranked, retired=heading.suite in retired)

    return make


def board(
    contract: str,
    *,
    hardware: str | None = None,
    dtype: str | None = None,
    mode: str | None = None,
    suite: str | None = None,
    limit: int = ROWS,
    offset: int = 0,
) -> Board:
    """Return one board. What is not chosen is the fullest there is; the suite is the newest.

    Scores of different suites are never on one board.

    Args:
        contract: Whose board.
        hardware: The hardware class.
        dtype: One of its dtypes.
        mode: `infer`, `train` or `compiled`.
        suite: Version of the suite; of the newest that is in force, else the newest of all.
        limit: Rows at most, of the ranked and of the others each.
        offset: Rows to skip in both.

    Raises:
        Missing: no run of this contract is known, or none under this choice.
    """
    days = retirement_dates(contract)
    suites, headings = _headings(contract, suite, days)
    chosen = _choose(headings, hardware, dtype, mode, contract)
    places = Place.objects.filter(**{name: getattr(chosen, name) for name in _KEY})
    # All of the board is read once, for the ranks and the frontier; whole rows only of the page.
    rows = places.filter(kind="ranked").values_list(*Standing._fields)
    ranked = list(map(Standing._make, rows))
    retired = state_on(days.get(chosen.suite)) == RETIRED
    # A retired board is not judged again, so nothing on it is said to be.
    now = {} if retired else editions()
    return Board(
        **{name: getattr(chosen, name) for name in _KEY},
        approximate=is_approximate(contract),
        ranked=chosen.ranked,
        judged=chosen.ranked + chosen.unranked,
        rows=_ranked(rank(ranked)[offset : offset + limit], chosen, now),
        unranked=_unranked(places, limit, offset),
        pareto=pareto(ranked, DRAWN),
        suites=suites,
        retires_on=days.get(chosen.suite),
        retired=retired,
        hardware_classes=_distinct(each.hardware_class for each in headings),
        dtypes=_distinct(
            each.dtype for each in headings if each.hardware_class == chosen.hardware_class
        ),
        modes=_distinct(
            each.mode
            for each in headings
            if (each.hardware_class, each.dtype) == (chosen.hardware_class, chosen.dtype)
        ),
    )


def board_stamp(contract: str) -> str:
    """Return what changes whenever a board of a contract does; one short query.

    What hangs on the day or on the machines' heartbeats (retirement, stale marks) is not in it.
    """
    boards = Heading.objects.filter(contract=contract)
    found = boards.aggregate(count=Count("pk"), changed_at=Max("changed_at"))
    return f"{found['count']} {found['changed_at']}"


def _headings(
    contract: str, version: str | None, days: Mapping[str, dt.date]
) -> tuple[tuple[str, ...], list[Heading]]:
    """Return the suites, and the boards of one: those with something measured, if there are any."""
    headings = list(Heading.objects.filter(contract=contract))
    if not headings:
        raise Missing(f"no official run of contract {contract!r} is known; see /api/v1/boards")
    suites = sorted({each.suite for each in headings}, key=_age, reverse=True)
    wanted = f"{contract}/{version}" if version else _newest(suites, days)
    here = [each for each in headings if each.suite == wanted]
    if not here:
        known = ", ".join(each.rpartition("/")[2] for each in suites)
        raise Missing(f"{contract} has no board of the suite {version!r}; there are: {known}")
    return tuple(suites), [each for each in here if each.measured] or here


def _newest(suites: Sequence[str], days: Mapping[str, dt.date]) -> str:
    in_force = (suite for suite in suites if state_on(days.get(suite)) != RETIRED)
    return next(in_force, suites[0])


def _age(suite: str) -> tuple[Any, ...]:
    return version_key(suite.rpartition("/")[2]), suite


def _choose(
    headings: list[Heading],
    hardware: str | None,
    dtype: str | None,
    mode: str | None,
    contract: str,
) -> Heading:
    wanted = (hardware, dtype, mode)
    matching = [
        each
        for each in headings
        if all(want in (None, "", have) for want, have in zip(wanted, _choice(each), strict=True))
    ]
    if not matching:
        asked = ", ".join(want for want in wanted if want)
        known = "; ".join(" ".join(_choice(each)) for each in sorted(headings, key=_choice))
        raise Missing(f"{contract} has no board for {asked}; there are: {known}")
    # The fullest board; float32 and infer come first among equals.
    return min(
        matching,
        key=lambda h: (-h.measured, h.dtype != "float32", h.mode != "infer", _choice(h)),
    )


def _choice(heading: Heading) -> tuple[str, str, str]:
    return heading.hardware_class, heading.dtype, heading.mode


def _ranked(
    page: Sequence[tuple[int, int]], board: Heading, now: Mapping[str, Edition]
) -> tuple[RankedRow, ...]:
    keys = [pk for _, pk in page]
    rows = Place.objects.filter(pk__in=keys).values("pk", *_RANKED, *_MARKED)
    found = {row.pop("pk"): row for row in rows}
    return tuple(_ranked_row(number, found[pk], board, now) for number, pk in page)


def _ranked_row(
    number: int, row: dict[str, Any], board: Heading, now: Mapping[str, Edition]
) -> RankedRow:
    torch, judge, confirmed = (row.pop(name) for name in _MARKED)
    leads = row["run_id"] == board.leader_run_id
    return RankedRow(
        rank=number,
        stale=stale_words(torch, judge, board.hardware_class, now),
        confirming=CONFIRMING if leads and not confirmed else "",
        **row,
    )


def _unranked(places: QuerySet[Place], limit: int, offset: int) -> tuple[UnrankedRow, ...]:
    rows = places.exclude(kind="ranked").order_by("operator", "-judged_at", "pk")
    return tuple(
        UnrankedRow(**dict(zip(_UNRANKED, row, strict=True)))
        for row in rows.values_list(*_UNRANKED)[offset : offset + limit]
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
