"""Pages kept for a moment: whoever asks within it gets the same bytes, without a query."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_response_headers

View = Callable[..., HttpResponse]
LONGEST_S = 300
"""How long a page that has a stamp is kept: it says how long ago things were."""
LATE_S = 5
"""How much longer a page serves the others while one request makes it anew."""
_making: set[str] = set()
_turn = threading.Lock()


def kept(view: View) -> View:
    """Keep what a view answers for `PAGE_KEPT_S` seconds, by its whole address; 0 keeps nothing.

    For pages that are the same for everybody. A page is at most that much behind its data, and the
    time that making it takes: one request makes it anew, and the others do not wait for it.
    """

    @functools.wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not _keeps(request):
            return view(request, *args, **kwargs)
        return _answered(
            _key(request), settings.PAGE_KEPT_S, lambda: view(request, *args, **kwargs)
        )

    return inner


def kept_while(stamp: Callable[..., str]) -> Callable[[View], View]:
    """Keep what a view answers while its stamp stays the same, five minutes at most.

    Args:
        stamp: Takes what the address gives the view; cheap, and another whenever the page is.
    """

    def keeping(view: View) -> View:
        @functools.wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not _keeps(request):
                return view(request, *args, **kwargs)
            key = _key(request, stamp(*args, **kwargs))
            return _answered(key, LONGEST_S, lambda: view(request, *args, **kwargs))

        return inner

    return keeping


def _keeps(request: HttpRequest) -> bool:
    return bool(settings.PAGE_KEPT_S) and request.method == "GET"


def _key(request: HttpRequest, stamp: str = "") -> str:
    asked = f"{request.build_absolute_uri()} {stamp}"
    return f"page:{hashlib.sha256(asked.encode()).hexdigest()}"


def _answered(key: str, seconds: int, make: Callable[[], HttpResponse]) -> HttpResponse:
    content, made_at = cache.get(key, (None, 0.0))
    fresh = time.monotonic() - made_at < seconds
    if content is not None and (fresh or not _first(key)):
        answer = HttpResponse(content)
    else:
        answer = _made(key, seconds, make)
    if answer.status_code == HTTPStatus.OK:
        patch_response_headers(answer, settings.PAGE_KEPT_S)
    return answer


def _made(key: str, seconds: int, make: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        # What it says was true when it was begun.
        began = time.monotonic()
        answer = make()
        if answer.status_code == HTTPStatus.OK:
            cache.set(key, (answer.content, began), seconds + LATE_S)
        return answer
    finally:
        with _turn:
            _making.discard(key)


def _first(key: str) -> bool:
    """Take the making of a page, unless another request of this process has it."""
    with _turn:
        if key in _making:
            return False
        _making.add(key)
        return True
