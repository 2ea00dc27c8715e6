"""Cookies stay where they were set: those of /account/ and /admin/ are sent to no other page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HOMES = {"/account/": "Lax", "/admin/": "Strict"}
"""Folders that have cookies, and from which other sites' links they are sent along."""

View = Callable[[HttpRequest], HttpResponse]


def at_home(get_response: View) -> View:
    """Confine each cookie to the folder that sets it; outside of all middleware that sets any."""

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        for folder, same_site in HOMES.items():
            if request.path.startswith(folder):
                for cookie in answer.cookies.values():
                    cookie["path"], cookie["samesite"] = folder, same_site
        return answer

    return middleware
