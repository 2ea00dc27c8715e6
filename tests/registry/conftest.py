from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any):
    """End what a killed process or a thread left connected, or PostgreSQL drops no database."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(autouse=True)
def _nothing_kept(settings: Any) -> None:
    # A test sees what it did at once; that pages are kept is a test of its own.
    settings.PAGE_KEPT_S = 0
    settings.RATES = dict.fromkeys(settings.RATES, (1, 1_000_000))


@pytest.fixture
def aged():
    """Change what guards hold, as if it had happened earlier: `aged(rows, created_at=...)`."""

    def _aged(rows: Any, **values: Any) -> None:
        from dougong_registry.guards.install import install, lift

        lift(connection)
        rows.update(**values)
        install(connection)

    return _aged


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest):
    """Lift the guards before a transactional test's tables are emptied; `flush` puts them back."""
    marker = request.node.get_closest_marker("django_db")
    transactional = {"transactional_db", "live_server"} & set(request.fixturenames) or (
        marker is not None and marker.kwargs.get("transaction")
    )
    if not transactional:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    from dougong_registry.guards.install import lift

    lift(connection)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file as `dougong-hub migrate` leaves it, to be copied: it takes seconds to make."""
    home = tmp_path_factory.mktemp("migrated")
    file = home / "hub.sqlite3"
    env = {**os.environ, "DOUGONG_HOME": str(home), "DOUGONG_DATABASE_URL": f"sqlite:///{file}"}
    command = [sys.executable, "-m", "dougong_registry", "migrate", "-v", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return file
