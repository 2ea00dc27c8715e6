"""From the months of a community to the marks that its charts draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from django.urls import reverse
from django.utils.safestring import SafeString

from dougong_registry.boards.contribution_rows import EvidenceRow, MonthRow
from dougong_registry.web import charts, formats

_HOUR_S, _DAY_S = 3600.0, 86400.0
LONGEST_NAME = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One figure of the newest whole month, beside the month before."""

    name: str
    value: str
    note: str


def at_a_glance(months: Sequence[MonthRow]) -> tuple[Glance, ...]:
    """Return the figures of the last month that is over, or of the first while it goes on."""
    whole = months[:-1] if len(months) > 1 else months
    if not whole:
        return ()
    now = whole[-1]
    before = whole[-2] if len(whole) > 1 else None

    def glance(name: str, write: Callable[[MonthRow], str]) -> Glance:
        then = f", {write(before)} the month before" if before else ""
        return Glance(name=name, value=write(now), note=f"{_label(now)}{then}")

    return (
        glance("Median time to first response", lambda month: _took(month.response_median_s)),
        glance("Median duration of a review", lambda month: _took(month.review_median_s)),
        glance("People who did half of the work", lambda month: str(month.absence_factor)),
        glance("New people", lambda month: str(month.people_new)),
        glance("People who came back", lambda month: str(month.people_returning)),
    )


def people_chart(months: Sequence[MonthRow]) -> SafeString:
    """Draw who came for the first time and who came back."""
    return charts.columns_chart(
        [
            charts.Column(
                label=_label(month),
                values=(float(month.people_returning), float(month.people_new)),
            )
            for month in months
        ],
        title="People who contributed",
        unit="people",
        series=(("returning", "baseline"), ("new", "candidate")),
    )


def work_chart(months: Sequence[MonthRow]) -> SafeString:
    """Draw what was done, by kind."""
    return charts.columns_chart(
        [
            charts.Column(
                label=_label(month),
                values=(
                    float(month.changes),
                    float(month.reviews),
                    float(month.triages + month.reports),
                ),
            )
            for month in months
        ],
        title="Contributions",
        unit="records",
        series=(("changes", "candidate"), ("reviews", "baseline"), ("triage, reports", "control")),
    )


def absence_chart(months: Sequence[MonthRow]) -> SafeString:
    """Draw the contributor absence factor."""
    return charts.columns_chart(
        [
            charts.Column(label=_label(month), values=(float(month.absence_factor),))
            for month in months
        ],
        title="Contributor absence factor",
        unit="people",
        series=(("half was done by", "baseline"),),
    )


def response_chart(months: Sequence[MonthRow]) -> SafeString:
    """Draw the median time to the first response."""
    return _durations(
        [(_label(month), month.response_median_s) for month in months],
        title="Median time to first response",
        name="waited",
    )


def review_chart(months: Sequence[MonthRow]) -> SafeString:
    """Draw the median time from opened to come in."""
    return _durations(
        [(_label(month), month.review_median_s) for month in months],
        title="Median duration of a review",
        name="took",
    )


def evidence_url(row: EvidenceRow) -> str:
    """Return where evidence can be looked up; empty where there is no address."""
    if row.kind == "run":
        return reverse("run", args=[row.id])
    if row.kind == "submission" and row.id.isdecimal() and len(row.id) < 19:
        return reverse("submission", args=[int(row.id)])
    return row.id if row.kind == "url" and row.id.startswith(("https://", "http://")) else ""


def evidence_name(row: EvidenceRow) -> str:
    """Write what evidence is called: of an address its host and path, of others kind and id."""
    if row.kind == "url":
        name = row.id.partition("://")[2].rstrip("/") or row.id
        return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return f"{row.kind} {row.id[:12]}"


def _label(month: MonthRow) -> str:
    return f"{month.month:%Y-%m}"


def _took(median_s: float | None) -> str:
    if median_s is None:
        return "—"
    if median_s >= 2 * _DAY_S:
        return f"{median_s / _DAY_S:.1f} days"
    return f"{median_s / _HOUR_S:.1f} h"


def _durations(
    values_s: Sequence[tuple[str, float | None]], *, title: str, name: str
) -> SafeString:
    most = max((value for _, value in values_s if value is not None), default=0.0)
    unit, size = ("days", _DAY_S) if most >= 2 * _DAY_S else ("hours", _HOUR_S)
    return charts.columns_chart(
        [
            charts.Column(label=label, values=(None if value is None else value / size,))
            for label, value in values_s
        ],
        title=title,
        unit=unit,
        series=((name, "candidate"),),
        write=formats.three_digits,
    )
