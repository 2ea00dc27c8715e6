"""`/metrics` in Prometheus' text format, for those who may read it."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dougong_registry.metrics import hub
from dougong_registry.metrics.requests import all_processes
from dougong_registry.problem import Forbidden


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with everything measured, or 403 with the way in."""
    if not (_has_token(request) or _from_allowed_address(request)):
        way_in = Forbidden(
            "metrics are for a bearer token (DOUGONG_METRICS_TOKEN) or an address of "
            "DOUGONG_METRICS_ALLOW that comes through no proxy"
        )
        return HttpResponse(way_in.detail + "\n", status=way_in.status, content_type="text/plain")
    body = generate_latest(all_processes()) + generate_latest(hub.registry())
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    wanted = settings.DOUGONG_METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    return bool(wanted) and hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())


def _from_allowed_address(request: HttpRequest) -> bool:
    # Behind a proxy every request has the proxy's address, which says nothing of who asks.
    if {"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} & set(request.headers):
        return False
    return request.META.get("REMOTE_ADDR") in settings.DOUGONG_METRICS_ALLOW
