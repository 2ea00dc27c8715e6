"""The staff pages are off by default; on, they hold what `admin_on.py` asks of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

HERE = Path(__file__).resolve().parent


def test_there_is_nothing_at_admin_by_default(client):
    assert client.get("/admin/").status_code == 404
    assert client.get("/admin/login/").status_code == 404
    assert "django.contrib.auth" not in settings.INSTALLED_APPS
    assert not any("Session" in name for name in settings.MIDDLEWARE)


@pytest.mark.slow
def test_the_staff_pages_where_they_are_on():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / "admin_on.py")],
        env={**os.environ, "DOUGONG_ADMIN": "1", "COLUMNS": "150"},
        capture_output=True, text=True, check=False, cwd=HERE.parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
