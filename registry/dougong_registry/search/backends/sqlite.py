"""SQLite's word index: FTS5 over the entries' words, kept by triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from dougong_registry.search.models import Entry

_TABLE = """
CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5(
    name_words, other_words, content='search_entry', content_rowid='id', prefix='2 3'
)
"""
_ADD = (
    "INSERT INTO search_words (rowid, name_words, other_words) "
    "VALUES (new.id, new.name_words, new.other_words);"
)
_DROP = (
    "INSERT INTO search_words (search_words, rowid, name_words, other_words) "
    "VALUES ('delete', old.id, old.name_words, old.other_words);"
)
_TRIGGERS = {"INSERT": _ADD, "DELETE": _DROP, "UPDATE": _DROP + _ADD}


class Sqlite:
    """FTS5 with bm25; a word of the name counts ten times one of the rest."""

    def install(self, connection: BaseDatabaseWrapper) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_TABLE)
            for event, body in _TRIGGERS.items():
                name = f"search_words_{event.lower()}"
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                cursor.execute(
                    f"CREATE TRIGGER {name} AFTER {event} ON search_entry BEGIN {body} END"
                )

    def narrow(self, entries: models.QuerySet[Entry], words: Sequence[str]) -> Any:
        match = " AND ".join(f'"{word}"*' for word in words)
        return entries.extra(
            tables=["search_words"],
            where=["search_words.rowid = search_entry.id", "search_words MATCH %s"],
            params=[match],
        )

    def relevance(self, words: Sequence[str]) -> Any:
        return RawSQL("bm25(search_words, 10.0, 1.0)", [])
