"""The audit log: every act in it, and no later change unseen."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import record, verify
from dougong_registry.guards.install import install, lift
from dougong_registry.people.services import token_create


@pytest.fixture
def log(db):
    """Five entries."""
    for i in range(5):
        record(actor="local:ada", verb="thing.done", target=f"thing {i}", count=i, text="ö")
    return Entry.objects.order_by("seq")


@pytest.fixture
def intruder(db):
    """Somebody who owns the database, guards and all."""
    lift(connection)
    yield Entry.objects
    install(connection)


def said(capsys, *arguments) -> str:
    call_command("audit", *arguments)
    return capsys.readouterr().out


def test_an_unbroken_chain_is_said_to_be_so(log, capsys):
    assert verify().entries == 5
    assert "5 entries, unbroken" in said(capsys, "verify")
    assert json.loads(said(capsys, "verify", "--json"))["head"] == log.last().hash


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "local:eve"},
        {"verb": "thing.undone"},
        {"target": "thing 9"},
        {"payload": "{}"},
        {"at": "2020-01-01T00:00:00Z"},
        {"hash": "f" * 64},
        {"previous": "e" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_changed_field_is_found(log, intruder, change):
    intruder.filter(seq=3).update(**change)
    chain = verify()
    assert chain.broken_at == 3
    assert "entry 3" in chain.reason


def test_a_changed_entry_with_a_new_hash_breaks_at_the_next(log, intruder):
    entry = intruder.get(seq=3)
    entry.actor = "local:eve"
    intruder.filter(seq=3).update(actor=entry.actor, hash=entry.digest())
    assert verify().broken_at == 4


def test_an_entry_taken_out_is_missed(log, intruder):
    intruder.filter(seq=2).delete()
    with pytest.raises(CommandError, match="entry 2 is gone"):
        call_command("audit", "verify")


def test_entries_cut_off_the_end_are_missed_by_who_noted_the_head(log, intruder):
    head = log.last().hash
    intruder.filter(seq=5).delete()
    assert verify().broken_at is None
    with pytest.raises(CommandError, match="cut off"):
        call_command("audit", "verify", "--head", head)


def test_an_act_that_fails_leaves_no_entry(db):
    @transaction.atomic
    def act() -> None:
        record(actor="hub", verb="thing.done", target="x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    assert not Entry.objects.exists()


def test_many_at_once_make_one_chain(tmp_path):
    """Processes on a database file, as in a hub: each writer waits for the others."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite3'}"
    env = {**os.environ, "DOUGONG_HOME": str(tmp_path), "DOUGONG_DATABASE_URL": url}
    command = [sys.executable, "-m", "dougong_registry"]
    subprocess.run([*command, "migrate", "-v", "0"], env=env, check=True)
    logins = [f"ada-{i}" for i in range(6)]
    started = [
        subprocess.Popen(
            [*command, "token_create", "--login", login], env=env, stdout=subprocess.DEVNULL
        )
        for login in logins
    ]
    assert [each.wait(60) for each in started] == [0] * len(logins)
    found = subprocess.run(
        [*command, "audit", "verify", "--json"], env=env, check=True, capture_output=True, text=True
    )
    assert json.loads(found.stdout)["entries"] == len(logins)


def test_a_token_is_in_the_log_and_its_secret_is_not(db, capsys):
    plain = token_create(login="ada")
    (line,) = said(capsys, "list", "--json").splitlines()
    entry = json.loads(line)
    assert (entry["verb"], entry["target"]) == ("token.created", "local:ada")
    assert plain not in line
    assert "token.created  local:ada" in said(capsys, "list")
