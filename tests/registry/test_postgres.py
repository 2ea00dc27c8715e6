"""The hub on PostgreSQL: the same migrations, the same tests, another address."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

SERVER = os.environ.get("DOUGONG_TEST_POSTGRES_URL", "")


@pytest.mark.postgres
@pytest.mark.timeout(400)
@pytest.mark.skipif(not SERVER, reason="DOUGONG_TEST_POSTGRES_URL names no server")
@pytest.mark.skipif(connection.vendor == "postgresql", reason="this run is on PostgreSQL itself")
def test_the_api_and_the_pages_behave_the_same_on_postgresql():
    here = Path(__file__).parent
    chosen = [
        here / "api",
        here / "audit",
        here / "contributions" / "test_services.py",
        here / "web" / "test_pages.py",
        here / "web" / "test_community_pages.py",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *chosen],
        cwd=here.parent.parent,
        env={**os.environ, "DOUGONG_DATABASE_URL": SERVER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
