"""Pages of pull requests: what was proposed, where it stands, who must still say yes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.forge.pulls import selectors
from dougong_registry.web.paging import PAGE, given, page_number, page_or_404

SHOWS = (
    ("", "all"),
    ("people", "waiting for people"),
    ("hub", "waiting for the hub"),
    ("stopped", "stopped"),
    ("published", "published"),
)


@require_safe
def pulls(request: HttpRequest) -> HttpResponse:
    """Pull requests, the newest first; `?show=` chooses whom they wait for."""
    number, show = page_number(request), given(request, "show")
    show = show if show in selectors.SHOWS else ""
    found = selectors.pulls_list(show=show, limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {
        "section": "submissions",
        "pulls": found[:PAGE],
        "show": show,
        "shows": SHOWS,
        "shown": dict(SHOWS)[show],
        "page": number,
        "more": len(found) > PAGE,
    }
    return render(request, "dougong/pulls.html", context)


@require_safe
def pull(request: HttpRequest, number: int) -> HttpResponse:
    """One pull request; `?head=` chooses a commit that gave way."""
    with page_or_404():
        detail = selectors.pull_detail(number, sha=given(request, "head"))
    context = {
        "section": "submissions",
        "detail": detail,
        "pull": detail.pull,
        "head": detail.head,
        "level": detail.pull.level or "L2",
    }
    return render(request, "dougong/pull.html", context)
