"""The page that puts operators side by side."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.boards.pages import ComparedOperator, Comparison
from dougong_registry.boards.rows import ScoreRow
from dougong_registry.boards.selectors.compare import FEWEST, MOST, comparable, comparison
from dougong_registry.web.paging import given, page_or_404


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Operators side by side; with fewer than two of them, a list to choose from."""
    named = list(
        dict.fromkeys(name.replace("\0", "") for name in request.GET.getlist("operator") if name)
    )
    contract = given(request, "contract")
    found = None
    with page_or_404():
        if len(named) >= FEWEST:
            found = comparison(named[:MOST], hardware=given(request, "hardware"))
    context = {
        "section": "operators",
        "named": named[:MOST],
        "left_out": named[MOST:],
        "most": MOST,
        "contract": contract,
        "choices": comparable(contract) if contract and found is None else (),
        "comparison": found,
        "scores": _table(found) if found else (),
    }
    return render(request, "dougong/compare.html", context)


def _table(found: Comparison) -> list[tuple[str, str, list[ScoreRow | None]]]:
    """Return a line for each dtype and mode with a score, or none, for each operator."""
    return [
        (dtype, mode, [_score(column, dtype, mode) for column in found.operators])
        for dtype, mode in found.keys
    ]


def _score(column: ComparedOperator, dtype: str, mode: str) -> ScoreRow | None:
    scores = column.run.scores if column.run else ()
    return next((each for each in scores if (each.dtype, each.mode) == (dtype, mode)), None)
