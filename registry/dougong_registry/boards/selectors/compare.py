"""Two to six operators side by side on one machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from django.db.models import Count

from dougong_ci.report.verdict import from_json
from dougong_registry.boards.pages import ComparedOperator, Comparison
from dougong_registry.boards.rows import OperatorRow, RunRow
from dougong_registry.boards.selectors.runs import run_row_maker, runs_with_scores
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run
from dougong_registry.search import selectors as search
from dougong_registry.search.rows import Query

FEWEST, MOST = 2, 6


def comparison(names: Sequence[str], *, hardware: str = "") -> Comparison:
    """Return operators in the order they are named, with their current runs on one machine.

    Args:
        names: At least one, each once.
        hardware: The machine; the one that most of them were judged on where it is not named.

    Raises:
        Missing: there is no operator of a name, or none was judged on the machine.
    """
    found = {row.name: row for row in search.named(names)}
    if absent := [name for name in names if name not in found]:
        raise Missing(f"no operator {absent[0]!r}; search with /operators/?q=")
    runs = list(
        runs_with_scores()
        .defer(None)
        .filter(operator__name__in=names, superseded_at__isnull=True)
        .order_by("recorded_at")
    )
    machines = Counter(
        machine for _, machine in {(run.operator.name, run.hardware_class) for run in runs}
    )
    if hardware and hardware not in machines:
        known = ", ".join(sorted(machines)) or "none"
        raise Missing(f"none of them was judged on {hardware!r}; there are: {known}")
    chosen = hardware or min(machines, key=lambda each: (-machines[each], each), default="")
    here = {run.operator.name: run for run in runs if run.hardware_class == chosen}
    releases = _releases(names)
    make = run_row_maker()
    columns = tuple(
        _column(found[name], releases.get(name, 0), here.get(name), make) for name in names
    )
    return Comparison(
        operators=columns,
        hardware_class=chosen,
        hardware_classes=tuple(sorted(machines)),
        keys=_keys(columns),
        contracts=tuple(dict.fromkeys(column.operator.contract for column in columns)),
    )


def comparable(contract: str, *, limit: int = 200) -> tuple[OperatorRow, ...]:
    """Return the operators of a contract, to choose from."""
    return search.operators_page(Query(contract=contract), limit=limit)


def _releases(names: Sequence[str]) -> dict[str, int]:
    records = OperatorRecord.objects.filter(name__in=names).order_by()
    return dict(records.values("name").annotate(count=Count("pk")).values_list("name", "count"))


def _column(
    operator: OperatorRow, releases: int, run: Run | None, make: Callable[[Run], RunRow]
) -> ComparedOperator:
    cases = from_json(run.payload).speed if run is not None else []
    return ComparedOperator(
        operator=operator,
        releases=releases,
        run=make(run) if run is not None else None,
        peak_bytes=_most(case.peak_bytes for case in cases),
        baseline_peak_bytes=_most(case.baseline_peak_bytes for case in cases),
    )


def _most(series: Iterable[Sequence[int]]) -> int | None:
    return max((held for each in series for held in each), default=None)


def _keys(columns: Iterable[ComparedOperator]) -> tuple[tuple[str, str], ...]:
    scores = (score for column in columns if column.run for score in column.run.scores)
    return tuple(sorted({(score.dtype, score.mode) for score in scores}))
