"""How long requests took, by view, summed over all web processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Histogram, multiprocess

REGISTRY = CollectorRegistry()
LATENCY = Histogram(
    "dougong_request_seconds",
    "Time from request to answer, by route, method and status.",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def measured(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware: measure every request. Labels come from our routes, never from the address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = answer(request)
        match = request.resolver_match
        LATENCY.labels(
            match.route if match is not None else "none",
            request.method if request.method in METHODS else "other",
            str(response.status_code),
        ).observe(time.perf_counter() - start)
        return response

    return middleware


def all_processes() -> CollectorRegistry:
    """Return what is to be read: of every process under gunicorn, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
