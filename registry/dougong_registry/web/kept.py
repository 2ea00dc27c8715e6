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
PATIENCE_S = 20
"""How long a request waits for another that makes a page for the first time."""
_making: dict[str, threading.Event] = {}
_turn = threading.Lock()
_NOTHING: tuple[bytes | None, float] = (None, 0.0)


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
    content, made_at = cache.get(key, _NOTHING)
    if content is None or time.monotonic() - made_at >= seconds:
        other = _claimed(key)
        if other is None:
            return _made(key, seconds, make)
        if content is None and other.wait(PATIENCE_S):
            content, _ = cache.get(key, _NOTHING)
    # None still: the other found no page, and this one may not either.
    return make() if content is None else _page(content)


def _made(key: str, seconds: int, make: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        began = time.monotonic()  # what a page says was true when it was begun
        answer = make()
        if answer.status_code != HTTPStatus.OK:
            return answer
        cache.set(key, (answer.content, began), seconds + LATE_S)
        return _page(answer.content)
    finally:
        with _turn:
            _making.pop(key).set()


def _claimed(key: str) -> threading.Event | None:
    """Take the making of a page; return what to wait for where another request has it."""
    with _turn:
        if key not in _making:
            _making[key] = threading.Event()
            return None
        return _making[key]


def _page(content: bytes) -> HttpResponse:
    answer = HttpResponse(content)
    patch_response_headers(answer, settings.PAGE_KEPT_S)
    return answer
