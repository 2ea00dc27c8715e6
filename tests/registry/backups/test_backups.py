"""A backup is taken while the hub writes, and what comes back from it is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

SERVER = os.environ.get("DOUGONG_TEST_POSTGRES_URL", "")
WRITE_ON = """
import django, itertools, sys
django.setup()
from dougong_registry.people.services import token_create
for i in itertools.count():
    token_create(login=f"writer-{i}")
    print(i, flush=True)
"""
COUNT = """
import django
django.setup()
from dougong_registry.audit.models import Entry
from dougong_registry.people.models import ApiToken, Identity
print(Entry.objects.count(), ApiToken.objects.count(), Identity.objects.count())
"""
KEEP_A_WHEEL = """
import django
django.setup()
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
kept = store.receive([b"bytes of a wheel"])
kept.keep()
Artifact.objects.create(sha256=kept.sha256, size_bytes=kept.size_bytes, filename="a-1.whl")
"""


class Hub:
    """A hub on a database of its own, met through processes."""

    def __init__(self, home: Path, url: str = "") -> None:
        home.mkdir()
        self.home = home
        self.env = {
            **os.environ,
            "DOUGONG_HOME": str(home),
            "DOUGONG_DATABASE_URL": url or f"sqlite:///{home / 'hub.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "dougong_registry.settings",
        }

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "dougong_registry", *arguments)

    def counts(self) -> list[int]:
        return [int(word) for word in self.run("-c", COUNT).stdout.split()]


def database_urls():
    """An address for each hub of a test: none for SQLite in its home."""
    if not SERVER:
        pytest.skip("DOUGONG_TEST_POSTGRES_URL names no server")
    names = [f"dougong_{uuid.uuid4().hex}" for _ in range(2)]
    with psycopg.connect(SERVER, autocommit=True) as server:
        for name in names:
            server.execute(f'CREATE DATABASE "{name}"')
        yield [urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}")) for name in names]
        for name in names:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hubs(request, tmp_path, migrated):
    """A migrated hub with a wheel and a key, and a place for another on the same engine."""
    urls = database_urls() if request.param == "postgresql" else iter([["", ""]])
    first_url, second_url = next(urls)
    first = Hub(tmp_path / "first", first_url)
    if first_url:
        assert first.command("migrate", "-v", "0").returncode == 0
    else:
        shutil.copy(migrated, first.home)
    assert first.run("-c", KEEP_A_WHEEL).returncode == 0
    (first.home / "runner.pem").write_text("a private key")
    yield first, Hub(tmp_path / "second", second_url)
    next(urls, None)


@pytest.fixture
def backup(hubs, tmp_path) -> Path:
    first, _ = hubs
    assert first.command("token_create", "--login", "ada").returncode == 0
    done = first.command("backup", tmp_path / "hub.backup")
    assert done.returncode == 0, done.stderr
    return tmp_path / "hub.backup"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backup_taken_while_the_hub_writes_is_whole(hubs, tmp_path):
    first, second = hubs
    command = [sys.executable, "-c", WRITE_ON]
    with subprocess.Popen(command, env=first.env, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        before = first.counts()[0]
        done = first.command("backup", tmp_path / "hub.backup")
        after = first.counts()[0]
        writer.kill()
    assert done.returncode == 0, done.stderr
    assert after > before, "the writer went on"
    restored = second.command("restore", tmp_path / "hub.backup")
    assert restored.returncode == 0, restored.stderr
    entries, tokens, people = second.counts()
    # Each token is written with its entry in one transaction; a torn copy would part them. Its
    # person is made just before.
    assert before <= entries == tokens <= people <= tokens + 1
    assert entries <= after
    assert second.command("audit", "verify").returncode == 0
    assert second.command("migrate", "-v", "0").returncode == 0


@pytest.mark.timeout(300)
def test_wheels_and_secrets_come_back_and_the_guards_too(hubs, backup):
    first, second = hubs
    assert backup.stat().st_mode & 0o777 == 0o600
    assert second.command("restore", backup).returncode == 0
    assert files_of(second.home / "artifacts") == files_of(first.home / "artifacts") != {}
    assert (second.home / "runner.pem").read_text() == "a private key"
    assert (second.home / "runner.pem").stat().st_mode & 0o777 == 0o600
    sql = "import django; django.setup(); from django.db import connection as c; c.cursor()"
    done = second.run("-c", f"{sql}.execute('DELETE FROM plugins_artifact')")
    assert "bytes and their hash are for ever" in done.stderr


@pytest.mark.timeout(300)
def test_a_hub_is_not_overwritten_unless_forced(hubs, backup):
    first, _ = hubs
    assert first.command("token_create", "--login", "later").returncode == 0
    before = first.counts()
    done = first.command("restore", backup)
    assert (done.returncode, first.counts()) == (2, before)
    assert "with --force" in done.stderr
    done = first.command("restore", backup, "--force")
    assert done.returncode == 0, done.stderr
    assert first.counts() == [before[0] - 1, before[1] - 1, before[2] - 1]


@pytest.mark.timeout(300)
def test_a_damaged_backup_is_refused_before_anything_is_touched(hubs, backup, tmp_path):
    _, second = hubs
    data = bytearray(backup.read_bytes())
    with tarfile.open(backup) as tar:
        (wheel,) = (m for m in tar.getmembers() if m.name.startswith("artifacts"))
    data[wheel.offset_data] ^= 1
    bad = tmp_path / "bad.backup"
    bad.write_bytes(data)
    done = second.command("restore", bad)
    assert done.returncode == 2
    assert "is missing or was changed" in done.stderr
    bad.write_bytes(b"no tar at all")
    assert "is not a backup" in second.command("restore", bad).stderr
    assert "is no file" in second.command("restore", tmp_path / "nowhere").stderr
    assert not (second.home / "artifacts").exists()


def test_a_backup_never_overwrites_and_needs_every_wheel(hubs, backup, tmp_path):
    first, _ = hubs
    assert "exists" in first.command("backup", backup).stderr
    for name in files_of(first.home / "artifacts"):
        (first.home / "artifacts" / name).write_bytes(b"rotten")
    done = first.command("backup", tmp_path / "another")
    assert done.returncode == 2
    assert "missing or has other bytes" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "hub.backup", "second"]


def test_without_the_tools_of_postgresql_it_says_so(hubs, tmp_path):
    first, _ = hubs
    if "postgresql" not in first.env["DOUGONG_DATABASE_URL"]:
        return
    first.env["PATH"] = str(tmp_path)
    assert "pg_dump is not on the PATH" in first.command("backup", tmp_path / "x").stderr
