"""Is the hub alive, and can it do its work?"""

from __future__ import annotations

from celery.exceptions import OperationalError as CeleryError
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from kombu.exceptions import OperationalError as BrokerError

from dougong_registry.celery import app
from dougong_registry.plugins import store


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the process lives."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer whether database, broker and storage can be used; 503 names what cannot.

    Reading pages needs no broker, so a hub that is not ready may still be worth routing to.
    """
    checks = {"database": _database(), "broker": _broker(), "storage": _storage()}
    good = all(reason == "" for reason in checks.values())
    return JsonResponse(
        {name: reason or "ok" for name, reason in checks.items()}, status=200 if good else 503
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return type(error).__name__
    return ""


def _broker() -> str:
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=2)
    except (BrokerError, CeleryError, OSError) as error:
        return type(error).__name__
    return ""


def _storage() -> str:
    try:
        store.root().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return type(error).__name__
    return ""
