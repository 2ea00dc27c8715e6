"""Errors as RFC 9457 problems: what the rule is, what was found, and the way out."""

from __future__ import annotations

import errno
import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.defaults import server_error
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import set_rollback

from dougong_registry.problem import Problem
from dougong_registry.requests.rates import TooOften

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
logger = logging.getLogger(__name__)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into a problem; DRF's `EXCEPTION_HANDLER`."""
    if isinstance(error, Problem):
        answer = _response(error.status, error.slug, error.title, error.detail)
        if isinstance(error, TooOften):
            answer["Retry-After"] = str(error.wait_s)
        return answer
    if isinstance(error, OperationalError | InterfaceError):
        return _unable(503, "busy", "Not now", "the database did not answer in time")
    if isinstance(error, OSError) and error.errno in _FULL:
        return _unable(507, "full", "No room", "the hub's disk is full")
    if isinstance(error, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return _response(413, "too-large", "Too large", f"a body may have {limit} bytes at most")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return _response(400, "bad-request", "Bad request", str(error) or type(error).__name__)
    if isinstance(error, Http404):
        return _response(404, "not-found", "Not found", "there is nothing at this address")
    if isinstance(error, APIException):
        detail = error.detail if isinstance(error.detail, str) else _flat(error.detail)
        code = error.default_code.replace("_", "-")
        return _response(error.status_code, code, str(error.default_detail), detail)
    return None


@csrf_exempt
def not_found(request: HttpRequest) -> JsonResponse:
    """Answer an address below /api/ that does not exist."""
    body = problem(
        404, "not-found", "Not found", f"no {request.path}; the addresses are in /api/schema/"
    )
    return _plain(body)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer where the hub itself failed: a problem below /api/, else the page (`handler500`)."""
    if not request.path.startswith("/api/"):
        return server_error(request)
    detail = "the hub failed at this request and wrote down why"
    body = problem(500, "broken", "The hub is broken", detail)
    return _plain(body)


def problem(status: int, slug: str, title: str, detail: str) -> dict[str, Any]:
    """Return the members of a problem."""
    return {"type": f"/publish/#{slug}", "title": title, "status": status, "detail": detail}


def _plain(body: dict[str, Any]) -> JsonResponse:
    headers = {"Cache-Control": "no-store"}
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE, headers=headers)


def _response(status: int, slug: str, title: str, detail: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response(
        problem(status, slug, title, detail),
        status=status,
        headers=headers,
        content_type=MEDIA_TYPE,
    )


def _unable(status: int, slug: str, title: str, found: str) -> Response:
    """Answer that the hub cannot do it now, through no fault of the request."""
    logger.exception("answered %s", status)
    set_rollback()
    response = _response(
        status, slug, title, f"{found}; send the same request again later, it will not count twice"
    )
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _flat(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {_flat(value)}" for name, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_flat(value) for value in detail)
    return str(detail)
