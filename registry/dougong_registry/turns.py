"""Taking turns: what only one writer may do at a time, on both databases."""

from __future__ import annotations

import zlib

from django.db.backends.base.base import BaseDatabaseWrapper


def take_turn(connection: BaseDatabaseWrapper, what: str) -> None:
    """Wait for the others who do the same, until the transaction ends.

    SQLite's writers wait for each other anyway; PostgreSQL's must be told to.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [zlib.crc32(what.encode())])
