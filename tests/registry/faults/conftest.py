from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from dougong_registry.serve import valkey
from dougong_registry.serve.supervisor import Supervisor


@pytest.fixture
def database(tmp_path, migrated):
    """A database file of the test's own, or a database on the server of the environment."""
    url = os.environ.get("DOUGONG_DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield f"sqlite:///{shutil.copy(migrated, tmp_path)}"
        return
    import psycopg

    name = f"dougong_faults_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def broker(tmp_path_factory):
    """A real Valkey, on a socket whose name is short enough."""
    folder = tmp_path_factory.mktemp("v")
    address = folder / "s"
    supervisor = Supervisor(lambda _: None)
    child = supervisor.start(
        valkey.spec(folder=folder, address=address, log=folder / "log", env=os.environ)
    )
    supervisor.until(lambda: valkey.answers(address), child, timeout_s=30)
    yield child, address, supervisor
    supervisor.stop([])


@pytest.fixture
def program(tmp_path, database, broker):
    """Run a program of this folder beside a database and a broker; return its output."""

    def run(name, *arguments, timeout_s=110.0):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", Path(__file__).with_name(name), home, *arguments],
            env={
                **os.environ,
                "DOUGONG_HOME": str(home),
                "DOUGONG_RATES": "off",
                "DOUGONG_DATABASE_URL": database,
                "DOUGONG_BROKER_URL": valkey.url(broker[1]),
            },
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run
