"""The pages: each calls a selector and draws what it returned."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from dougong_registry.boards import selectors
from dougong_registry.boards.selectors.history import operator_history
from dougong_registry.forge.pulls.selectors import pull_of_submission
from dougong_registry.plugins.models import FAMILIES
from dougong_registry.search.rows import FACETS, ORDERINGS, Query
from dougong_registry.search.selectors import search
from dougong_registry.web.paging import PAGE, given, page_number, page_or_404

BOARD_PAGE = 25
"""Of the ranked and of the others each: a row is also drawn, wide and narrow."""
CHOICES = 16
"""Values of a facet that a page offers: the commonest."""
QUEUE = 100
RUNS = 20
"""Of an operator's history on one page."""


class HtmxRequest(HttpRequest):
    """A request as django-htmx leaves it."""

    htmx: HtmxDetails


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The front page."""
    return render(request, "dougong/home.html", {"home": selectors.home()})


@require_safe
def operators(request: HttpRequest) -> HttpResponse:
    """Operators, searched and filtered; every filter is in the address."""
    chosen = {key: given(request, key) for key in ("q", *FACETS, "ordering")}
    number = page_number(request)
    found = search(Query(**chosen), limit=PAGE, offset=PAGE * (number - 1))
    context = {
        **chosen,
        "section": "operators",
        "found": found,
        "facets": [(name, chosen[name], found.facets[name][:CHOICES]) for name in FACETS],
        "filtered": any(chosen[name] for name in FACETS),
        "orderings": ORDERINGS if chosen["q"] else ORDERINGS[1:],
        "ordering": chosen["ordering"] or ("relevance" if chosen["q"] else "name"),
        "page": number,
        "more": found.total > PAGE * number,
    }
    return render(request, "dougong/operators.html", context)


@require_safe
def operator(request: HttpRequest, provider: str, name: str) -> HttpResponse:
    """One operator: right, fast, how to use it, who stands behind it."""
    number = page_number(request)
    with page_or_404():
        detail = selectors.operator_page(
            f"{provider}/{name}", limit=RUNS, offset=RUNS * (number - 1)
        )
    context = {
        "section": "operators",
        "detail": detail,
        "operator": detail.operator,
        "metadata": detail.metadata,
        "history": operator_history(detail.operator.name),
        "has_board": any(run.official for run in detail.current),
        "kind": detail.operator.contract.partition("@")[0],
        "page": number,
        "more": detail.run_count > RUNS * number,
    }
    return render(request, "dougong/operator.html", context)


@require_safe
def boards(request: HttpRequest) -> HttpResponse:
    """Every board and who leads it."""
    number, family = page_number(request), given(request, "family")
    found = selectors.boards_list(family=family, limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {
        "section": "boards",
        "boards": found[:PAGE],
        "courses": selectors.courses_list(family) if number == 1 else (),
        "family": family,
        "families": FAMILIES,
        "page": number,
        "more": len(found) > PAGE,
    }
    return render(request, "dougong/boards.html", context)


@require_safe
def board(request: HttpRequest, contract: str) -> HttpResponse:
    """One board; the machine, dtype and mode are in the address."""
    number = page_number(request)
    part = slice(BOARD_PAGE * (number - 1), BOARD_PAGE * number)
    with page_or_404():
        found = selectors.board(
            contract,
            hardware=given(request, "hardware"),
            dtype=given(request, "dtype"),
            mode=given(request, "mode"),
            suite=given(request, "suite"),
            limit=BOARD_PAGE,
            offset=part.start,
        )
    unranked = found.judged - found.ranked
    trained = selectors.courses(contract, suite=found.suite, hardware_class=found.hardware_class)
    context = {
        "section": "boards",
        "board": found,
        "courses": [(course, course.rows[part]) for course in trained],
        "unranked": unranked,
        "page": number,
        "more": max(found.ranked, unranked, *(len(course.rows) for course in trained))
        > BOARD_PAGE * number,
    }
    return render(request, "dougong/board.html", context)


@require_safe
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """One verdict, whole."""
    with page_or_404():
        detail = selectors.run_detail(run_id)
    context = {"section": "boards", "detail": detail, "run": detail.run}
    return render(request, "dougong/run.html", context)


@require_safe
def submissions(request: HttpRequest) -> HttpResponse:
    """The queue and what has left it."""
    context = {"section": "submissions", "rows": selectors.submissions_recent(QUEUE)}
    return render(request, "dougong/submissions.html", context)


@require_safe
def submission(request: HtmxRequest, submission_id: int) -> HttpResponse:
    """One submission; htmx asks again for the live part until it is over."""
    with page_or_404():
        detail = selectors.submission_detail(submission_id)
    context = {
        "section": "submissions",
        "detail": detail,
        "row": detail.submission,
        "live": detail.submission.finished_at is None,
        "pull_number": None if request.htmx else pull_of_submission(submission_id),
    }
    template = "parts/live.html" if request.htmx else "submission.html"
    return render(request, f"dougong/{template}", context)


@require_safe
def publish(request: HttpRequest) -> HttpResponse:
    """How to publish, and what the judge asks."""
    return render(request, "dougong/publish.html", {"section": "publish"})
