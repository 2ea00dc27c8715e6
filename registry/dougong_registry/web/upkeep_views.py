"""Pages of what keeps the boards true: judging again, second runs, notices."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.boards.selectors import upkeep
from dougong_registry.notices.models import STATES
from dougong_registry.web.paging import PAGE, given, page_number

CHECKS = 25
"""Second runs shown beside the campaigns."""


@require_safe
def rejudging(request: HttpRequest) -> HttpResponse:
    """What is judged again, and which runs were checked by a second one."""
    number = page_number(request)
    over = upkeep.campaigns_over(limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {
        "section": "boards",
        "live": upkeep.campaigns_live(),
        "over": over[:PAGE],
        "reruns": upkeep.reruns_newest(CHECKS),
        "share": settings.DOUGONG_AUDIT_SHARE,
        "page": number,
        "more": len(over) > PAGE,
    }
    return render(request, "dougong/rejudging.html", context)


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """What became worse; `?state=` chooses, and without it those that are not closed are shown."""
    number = page_number(request)
    state = given(request, "state")
    state = state if state in STATES else ""
    found = upkeep.notices_list(state=state, limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {
        "section": "boards",
        "notices": found[:PAGE],
        "state": state,
        "states": STATES,
        "page": number,
        "more": len(found) > PAGE,
    }
    return render(request, "dougong/notices.html", context)
