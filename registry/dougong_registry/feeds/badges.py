"""A badge for a README: what the judge found of an operator, as a small picture with words."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from dougong_registry.boards import selectors
from dougong_registry.boards.rows import OperatorRow
from dougong_registry.problem import Missing
from dougong_registry.web.charts.svg import node

_FRESH_S = 300
_NAME = "dougong"
_COLOURS = {"passed": "#2f6b3c", "failed": "#a3342a"}
_OTHER = "#5c5648"
_ADVANCE = 6.6
"""Mean width of a character at 11 pixels, on the wide side."""


@require_safe
def badge(request: HttpRequest, provider: str, name: str) -> HttpResponse:
    """Draw the newest verdict of an operator; one that is not there says so, with 404."""
    operator = f"{provider}/{name}"
    try:
        detail = selectors.operator_detail(operator)
    except Missing:
        picture, status = _picture("not on this hub", _OTHER, operator), 404
    else:
        row = detail.operator
        # What newer machines would say is not known: no colour of a verdict.
        stale = any(run.stale for run in detail.runs if run.id == row.run_id)
        colour = _OTHER if stale else _COLOURS.get(row.outcome, _OTHER)
        words = f"{_words(row)} (stale)" if stale else _words(row)
        picture, status = _picture(words, colour, operator), 200
    answer = HttpResponse(picture, status=status, content_type="image/svg+xml")
    answer["Cache-Control"] = f"public, max-age={_FRESH_S}"
    return answer


def _words(row: OperatorRow) -> str:
    if not row.outcome:
        return "not judged yet"
    return f"{row.outcome} {row.best_speedup:.2f}x" if row.best_speedup else row.outcome


def _picture(words: str, colour: str, operator: str) -> SafeString:
    left, right = (round(len(part) * _ADVANCE + 12) for part in (_NAME, words))
    said = f"{operator}: {words}"
    return node(
        "svg",
        node("title", said),
        node("rect", width=left, height=20, fill="#2b2620"),
        node("rect", x=left, width=right, height=20, fill=colour),
        node(
            "g",
            node("text", _NAME, x=left / 2, y=14),
            node("text", words, x=left + right / 2, y=14),
            fill="#ffffff",
            font_family="system-ui, sans-serif",
            font_size=11,
            text_anchor="middle",
        ),
        xmlns="http://www.w3.org/2000/svg",
        width=left + right,
        height=20,
        role="img",
        aria_label=said,
    )
