"""What a run measured besides time and worst error, as lines and tables that pages print."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from django.utils.html import escape
from django.utils.safestring import SafeString

from dougong_ci.report.verdict import Histogram, QualityRow, SpeedCase
from dougong_registry.web import formats

DRAWN = 1_600
"""Raw times drawn on one page; what is beyond stands in its tables and in the data."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HistogramTable:
    """Histograms over the same bins, side by side."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """Bin and, for each column, the share of the outputs in it."""


def histogram_tables(histograms: Iterable[Histogram]) -> list[HistogramTable]:
    """Put histograms with the same bins into one table; a bin that is empty in all is left out."""
    alike: dict[tuple[float, ...], list[Histogram]] = {}
    for histogram in histograms:
        alike.setdefault(tuple(histogram.ulp_edges), []).append(histogram)
    return [_table(edges, members) for edges, members in alike.items()]


def _table(edges: Sequence[float], members: Sequence[Histogram]) -> HistogramTable:
    totals = [sum(member.counts) or 1 for member in members]
    counts = list(zip(*(member.counts for member in members), strict=True))
    rows = [
        (name, tuple(formats.percent(n / total) for n, total in zip(row, totals, strict=True)))
        for name, row in zip(_bins(edges), counts, strict=False)
        if any(row)
    ]
    return HistogramTable(
        columns=tuple(f"{each.dtype} · {each.direction}" for each in members), rows=tuple(rows)
    )


def _bins(edges: Sequence[float]) -> list[str]:
    if not edges:
        return ["all"]
    between = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g}", *between, f"{edges[-1]:g} or more"]


def least_kept_first(rows: Iterable[QualityRow]) -> list[QualityRow]:
    """Sort rows of quality so that failures come first, then what keeps least."""
    return sorted(rows, key=lambda row: (row.passed, row.retained))


def drawn(cases: Iterable[SpeedCase]) -> list[tuple[SpeedCase, bool]]:
    """Pair each case with whether its raw times are still few enough to draw them all."""
    pairs, samples = [], 0
    for case in cases:
        samples += sum(map(len, (*case.candidate_us, *case.baseline_us, *case.control_us)))
        pairs.append((case, samples <= DRAWN))
    return pairs


def resources(case: SpeedCase) -> list[tuple[str, str]]:
    """Return what one case took besides time, as (name, value), where it could be read."""
    found = []
    if case.cpu_share:
        found.append(("processor time", formats.percent(statistics.median(case.cpu_share))))
    if case.waiting_share:
        found.append(("waited for it", formats.percent(statistics.median(case.waiting_share))))
    if case.peak_bytes:
        found.append(("peak memory", formats.file_size(max(case.peak_bytes))))
    if case.baseline_peak_bytes:
        held = formats.file_size(max(case.baseline_peak_bytes))
        found.append((f"peak memory of {case.baseline}", held))
    return found


def restart_rows(case: SpeedCase) -> SafeString:
    """Write the rows of a table: of each series and each resource, a cell for every restart.

    In one piece, since a page has a thousand of these cells and a template takes ten times as long.
    """
    named = (
        ("operator", case.candidate_us),
        (case.baseline, case.baseline_us),
        ("A/A copy", case.control_us),
    )
    rows = [(name, "num", [_restart_cell(run) for run in runs]) for name, runs in named if runs]
    rows += [
        (name, "num soft", list(map(escape, values)))
        for name, values in _resources_by_restart(case)
    ]
    return SafeString(
        "".join(
            [
                f'<tr><th scope="row">{escape(name)}</th>'
                + "".join([f'<td class="{kind}">{cell}</td>' for cell in cells])
                + "</tr>\n"
                for name, kind, cells in rows
            ]
        )
    )


def _restart_cell(samples_us: Sequence[float]) -> str:
    if not samples_us:
        return "—"
    middle, *ends = map(
        formats.duration, (statistics.median(samples_us), min(samples_us), max(samples_us))
    )
    return f'{middle}<p class="small soft">{" to ".join(ends)}</p>'


def _resources_by_restart(case: SpeedCase) -> list[tuple[str, list[str]]]:
    """Return what each restart took besides time, as (name, values)."""
    series: tuple[tuple[str, Sequence[float], Callable[[float], str]], ...] = (
        ("processor time of its turns", case.cpu_share, formats.percent),
        ("waited for a processor", case.waiting_share, formats.percent),
        ("peak memory", case.peak_bytes, lambda held: formats.file_size(int(held))),
        (
            f"peak memory of {case.baseline}",
            case.baseline_peak_bytes,
            lambda held: formats.file_size(int(held)),
        ),
    )
    missing = ["—"] * len(case.candidate_us)
    return [
        (name, [*map(write, values), *missing[len(values) :]])
        for name, values, write in series
        if values
    ]
