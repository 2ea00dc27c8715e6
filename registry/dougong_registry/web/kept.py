"""Pages kept for a moment: whoever asks within it gets the same bytes, without a query."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_page

View = Callable[..., HttpResponse]


def kept(view: View) -> View:
    """Keep what a view answers for `PAGE_KEPT_S` seconds, by its whole address; 0 keeps nothing.

    For pages that are the same for everybody. A page is at most that much behind its data.
    """

    @functools.cache
    def keeping(seconds: int) -> View:
        return cache_page(seconds)(view) if seconds else view

    @functools.wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return keeping(settings.PAGE_KEPT_S)(request, *args, **kwargs)

    return inner
