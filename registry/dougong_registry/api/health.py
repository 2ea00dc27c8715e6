"""Is the hub alive, and can it do its work?"""

from __future__ import annotations

import functools
import tempfile

from celery.exceptions import OperationalError as CeleryError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from kombu.exceptions import OperationalError as BrokerError

from dougong_registry.celery import app
from dougong_registry.plugins import store


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the process lives."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer whether the hub can be used; 503 names what is in the way.

    The broker is reported and decides nothing: pages and the index are read without it, and what
    is submitted meanwhile waits in the database.
    """
    needed = {"database": _database(), "migrations": _migrations(), "storage": _storage()}
    good = all(reason == "" for reason in needed.values())
    checks = {**needed, "broker": _broker()}
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


def _migrations() -> str:
    try:
        _refuse_unapplied()
    except DatabaseError as error:
        return type(error).__name__
    except RuntimeError as error:
        return str(error)
    return ""


@functools.cache
def _refuse_unapplied() -> None:
    """Read all migrations; once they were applied they stay so, and a raise is not cached."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        raise RuntimeError(f"{len(plan)} not applied: run `dougong-hub migrate`")


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
        with tempfile.TemporaryFile(dir=store.root()) as file:
            file.write(b"writable")
    except OSError as error:
        return type(error).__name__
    return ""
