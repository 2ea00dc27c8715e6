"""Addresses that no row can have are not found, whatever the database would say of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from dougong_registry.columns import no_row_has


class Possible:
    """Answer 404 to a zero byte or a number over 64 bits in a path; the API says it its own way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, named: dict[str, Any]
    ) -> None:
        """Look at what the address names before the view does."""
        if request.path.startswith("/api/"):
            return
        if why := no_row_has(named):
            raise Http404(why)
