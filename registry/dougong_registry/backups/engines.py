"""Copying a whole database out and in, by the tools of its engine, while writers go on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

from dougong_registry.problem import Refused


def copy_out(path: Path) -> None:
    """Write the database, as it is at one moment, to a new file.

    Raises:
        Refused: the copy is damaged, or PostgreSQL's tools are missing or fail.
    """
    if connection.vendor == "postgresql":
        _postgres_tool("pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={path}")
        return
    with _opened(Path(connection.settings_dict["NAME"])) as live, _opened(path) as copy:
        # All pages in one step: one state, and in WAL mode nobody waits for it.
        live.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")
    check(path)


def check(path: Path) -> None:
    """Look a copy over before anything is done with it.

    Raises:
        Refused: it is damaged.
    """
    if connection.vendor == "postgresql":
        _run("pg_restore", "--list", str(path), env=dict(os.environ))
        return
    try:
        with _opened(path) as copy:
            # The checks of the tables ask for the function that Django gives SQLite.
            copy.create_function("REGEXP", 2, _matches)
            found = copy.execute("PRAGMA integrity_check").fetchall()
            lost = copy.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        raise Refused(f"the copy of the database is damaged: {error}") from error
    if found != [("ok",)] or lost:
        raise Refused(f"the copy of the database is damaged: {(found + lost)[:3]}")


def copy_in(path: Path) -> None:
    """Put a copy in the place of what is in the database, in one transaction.

    Raises:
        Refused: PostgreSQL's tools are missing or fail.
    """
    connection.close()
    if connection.vendor == "postgresql":
        flags = ("--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction")
        _postgres_tool("pg_restore", *flags, str(path))
        return
    target = Path(connection.settings_dict["NAME"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as copy, _opened(target) as live:
        copy.backup(live)


def holds_something() -> bool:
    """Whether there is any table in the database."""
    return bool(connection.introspection.table_names())


def _matches(pattern: str, value: object) -> bool:
    return re.search(pattern, str(value)) is not None


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, timeout=10))


def _postgres_tool(name: str, *arguments: str) -> None:
    command, env = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    # As for psql: flags first, the database last. The password is in the environment.
    *flags, database = command[1:]
    _run(name, *flags, f"--dbname={database}", *arguments, env={**os.environ, **(env or {})})


def _run(name: str, *arguments: str, env: dict[str, str]) -> None:
    if shutil.which(name) is None:
        raise Refused(
            f"{name} is not on the PATH; install the PostgreSQL client of the server's version, or "
            "use `dougong-hub export`"
        )
    done = subprocess.run([name, *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise Refused(f"{name} failed: {said[-1]}")
