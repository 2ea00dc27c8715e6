"""Putting the guards into the database, after every `migrate`, on SQLite and PostgreSQL alike.

They are not steps of migrations: SQLite makes a table anew to change it, and its triggers are gone
with the old one. Whatever migrations did, this runs after them.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from dougong_registry.guards.rules import GUARDS, Guard
from dougong_registry.turns import take_turn

_FUNCTION = """
CREATE OR REPLACE FUNCTION dougong_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The class of check violations, so that clients raise the same error as for a constraint.
    RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = '23514';
END $$
"""


def after_migrate(sender: Any, using: str, **_: Any) -> None:
    """Install the guards of the tables that are there; receiver of `post_migrate`."""
    install(connections[using])


def install(connection: BaseDatabaseWrapper) -> None:
    """Make every guard anew where its table exists."""
    tables = set(connection.introspection.table_names())
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Two hubs that start at once must not both replace the function.
            take_turn(connection, "dougong guards")
            cursor.execute(_FUNCTION)
        for guard in GUARDS:
            if guard.table in tables:
                for statement in (*_dropped(guard, connection), *_created(guard, connection)):
                    cursor.execute(statement)


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take every guard out, for a restore or a test that empties the tables."""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in GUARDS:
            if guard.table in tables:
                for statement in _dropped(guard, connection):
                    cursor.execute(statement)


def _dropped(guard: Guard, connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor != "postgresql":
        return [f'DROP TRIGGER IF EXISTS "{guard.name}"']
    return [f'DROP TRIGGER IF EXISTS "{name}" ON "{guard.table}"' for name in _names(guard)]


def _names(guard: Guard) -> list[str]:
    truncating = [f"{guard.name}_all"] if guard.event == "delete" else []
    return [guard.name, *truncating]


def _created(guard: Guard, connection: BaseDatabaseWrapper) -> list[str]:
    differs = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    changed = " OR ".join(f'NEW."{name}" {differs} OLD."{name}"' for name in guard.columns)
    conditions = [f"({part})" for part in (guard.when, changed) if part]
    when = f"WHEN ({' AND '.join(conditions)})" if conditions else ""
    event = guard.event.partition("_")[0].upper()
    head = f'CREATE TRIGGER "{guard.name}" BEFORE {event} ON "{guard.table}" FOR EACH ROW {when}'
    text = guard.message.replace("'", "''")
    if connection.vendor != "postgresql":
        return [f"{head} BEGIN SELECT RAISE(ABORT, '{text}'); END"]
    refuse = f"EXECUTE FUNCTION dougong_refuse('{text}')"
    # TRUNCATE takes every row and fires no trigger of a row.
    truncating = [
        f'CREATE TRIGGER "{name}" BEFORE TRUNCATE ON "{guard.table}" FOR EACH STATEMENT {refuse}'
        for name in _names(guard)[1:]
    ]
    return [f"{head} {refuse}", *truncating]
