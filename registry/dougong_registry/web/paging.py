"""What the pages share: which page of a list was asked for, and 404 for what is not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.http import Http404, HttpRequest

from dougong_registry.problem import Missing

PAGE = 50
"""Rows of a list on one page."""


@contextlib.contextmanager
def page_or_404() -> Iterator[None]:
    """Show the readable 404 page for what a selector misses."""
    try:
        yield
    except Missing as missing:
        raise Http404(str(missing)) from missing


def page_number(request: HttpRequest) -> int:
    """Return `?page=`, counted from 1; anything else than a plain number is the first page."""
    number = request.GET.get("page", "1")
    return max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 7 else 1


def given(request: HttpRequest, key: str) -> str:
    """Return a value of the address; no database takes a zero byte in a text."""
    return request.GET.get(key, "").replace("\0", "")
