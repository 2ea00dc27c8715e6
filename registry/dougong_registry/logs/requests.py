"""A name for every request, in its log lines and in its answer."""

from __future__ import annotations

import contextvars
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")

request_id = contextvars.ContextVar("request_id", default="")
logger = logging.getLogger("dougong.request")


def named(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware: take the caller's `X-Request-ID` if it is plain, else make one; send it back.

    The line of a request holds its path and no query, header or body: those may hold secrets.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        name = given if _PLAIN.fullmatch(given) else uuid.uuid4().hex
        request_id.set(name)
        start = time.perf_counter()
        response = answer(request)
        response[HEADER] = name
        extra = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - start) * 1000, 3),
        }
        logger.info("%s %s %s", request.method, request.path, response.status_code, extra=extra)
        return response

    return middleware


# Django writes its own line of a refusal after all middleware, so the name stays until the end.
@receiver(request_finished)
def _forget(**_: Any) -> None:
    request_id.set("")
