"""Pages kept for a moment: whoever asks within it gets the same bytes, without a query."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_response_headers
from django.views.decorators.cache import cache_page

View = Callable[..., HttpResponse]
LONGEST_S = 300
"""How long a page that has a stamp is kept: it says how long ago things were."""


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


def kept_while(stamp: Callable[..., str]) -> Callable[[View], View]:
    """Keep what a view answers while its stamp stays the same, five minutes at most.

    Args:
        stamp: Takes what the address gives the view; cheap, and another whenever the page is.
    """

    def keeping(view: View) -> View:
        @functools.wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not settings.PAGE_KEPT_S or request.method != "GET":
                return view(request, *args, **kwargs)
            asked = f"{request.build_absolute_uri()} {stamp(*args, **kwargs)}"
            key = f"page:{hashlib.sha256(asked.encode()).hexdigest()}"
            content = cache.get(key)
            answer = view(request, *args, **kwargs) if content is None else HttpResponse(content)
            if content is None and answer.status_code == HTTPStatus.OK:
                cache.set(key, answer.content, LONGEST_S)
            patch_response_headers(answer, settings.PAGE_KEPT_S)
            return answer

        return inner

    return keeping
