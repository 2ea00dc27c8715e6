"""The word index of a database, behind one interface: `narrow` and `relevance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from dougong_registry.search.backends import postgresql, sqlite
from dougong_registry.search.models import Entry


class SearchBackend(Protocol):
    """How one database finds words. Words are letters and digits only (`search.words`)."""

    def install(self, connection: BaseDatabaseWrapper) -> None:
        """Make the word index, if it is not there."""

    def narrow(self, entries: models.QuerySet[Entry], words: Sequence[str]) -> Any:
        """Keep the entries that hold every word, or a word that begins with it."""

    def relevance(self, words: Sequence[str]) -> Any:
        """Return what to order narrowed entries by, best first."""


def backend(vendor: str) -> SearchBackend:
    """Return the backend of a database.

    Raises:
        KeyError: the hub runs on SQLite and PostgreSQL only.
    """
    return _BACKENDS[vendor]


def index_ensure(connection: BaseDatabaseWrapper) -> bool:
    """Make the word index where the entries' table is; return whether it is."""
    if Entry._meta.db_table not in connection.introspection.table_names():
        return False
    backend(connection.vendor).install(connection)
    return True


_BACKENDS: dict[str, SearchBackend] = {
    "sqlite": sqlite.Sqlite(),
    "postgresql": postgresql.Postgresql(),
}
