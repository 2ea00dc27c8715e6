"""Which devices and dtypes a plugin's operators were measured on, and which are only declared."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, Prefetch, QuerySet

from dougong_registry.boards.pages import Cell, Compatibility
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.runs.models import CONCLUSIVE, Run, Score

_NOTHING = Cell(state="")


def compatibility(records: QuerySet[OperatorRecord]) -> Compatibility:
    """Put what the records declare beside what runs of them found, in three queries.

    A score means that speed and error were both measured. A run that passed has checked the
    errors of every declared dtype that its contract asks for; where there is no score, the cell
    says `judged`. A run that failed refuses the operator on its device, whatever the dtype.
    """
    found = list(records)
    runs = _runs(found)
    declared = {
        record.pk: {
            (str(device), str(dtype))
            for device in record.metadata.get("devices", ())
            for dtype in record.metadata.get("dtypes", ())
        }
        for record in found
    }
    scored = {
        (run.operator_id, run.device, score.dtype): (run, score)
        for run in runs
        for score in run.scores.all()  # in rising order: the fastest mode is kept
    }
    by_device = {(run.operator_id, run.device): run for run in runs}
    columns = sorted(
        {pair for pairs in declared.values() for pair in pairs} | {key[1:] for key in scored}
    )
    rows = []
    for record in found:
        cells = []
        for device, dtype in columns:
            run = by_device.get((record.pk, device))
            timed = scored.get((record.pk, device, dtype))
            cells.append(_cell((device, dtype) in declared[record.pk], run, timed))
        rows.append((record.name, tuple(cells)))
    return Compatibility(columns=tuple(columns), rows=tuple(rows))


def _runs(records: Iterable[OperatorRecord]) -> list[Run]:
    """Return of each operator and device the newest run that tells something."""
    newest = (
        Run.objects.filter(operator__in=[record.pk for record in records], outcome__in=CONCLUSIVE)
        .order_by()
        .values("operator", "device")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    scores = Prefetch("scores", Score.objects.order_by("speedup"))
    return list(Run.objects.filter(pk__in=newest).defer("payload").prefetch_related(scores))


def _cell(is_declared: bool, run: Run | None, timed: tuple[Run, Score] | None) -> Cell:
    if run is not None and run.outcome == "failed":
        return Cell(state="failed", run_id=run.verdict_id) if is_declared else _NOTHING
    if timed is not None and run is not None and run.outcome == "passed":
        return Cell(state="measured", speedup=timed[1].speedup, run_id=run.verdict_id)
    if not is_declared:
        return _NOTHING
    if run is not None and run.outcome == "passed":
        return Cell(state="judged", run_id=run.verdict_id)
    return Cell(state="declared")
