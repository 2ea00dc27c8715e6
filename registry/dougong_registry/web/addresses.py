"""Addresses that no row can have are not found, whatever the database would say of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

LARGEST_ID = 2**63 - 1
"""Of a row, in every database that the hub runs on."""


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
        for value in named.values():
            if "\0" in str(value):
                raise Http404("no name holds the NUL character")
            if isinstance(value, int) and value > LARGEST_ID:
                raise Http404(f"ids end at {LARGEST_ID}")
