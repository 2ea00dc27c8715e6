"""PostgreSQL's word index: a generated tsvector with a GIN index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import OrderBy, RawSQL

from dougong_registry.search.models import Entry

_STATEMENTS = (
    "ALTER TABLE search_entry ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS ("
    "setweight(to_tsvector('simple', name_words), 'A') || "
    "setweight(to_tsvector('simple', other_words), 'C')) STORED",
    "CREATE INDEX IF NOT EXISTS search_entry_words ON search_entry USING gin (words)",
)


class Postgresql:
    """`to_tsquery` with `ts_rank`; words of the name weigh more than the rest."""

    def install(self, connection: BaseDatabaseWrapper) -> None:
        with connection.cursor() as cursor:
            for statement in _STATEMENTS:
                cursor.execute(statement)

    def narrow(self, entries: models.QuerySet[Entry], words: Sequence[str]) -> Any:
        return entries.extra(
            where=["search_entry.words @@ to_tsquery('simple', %s)"], params=[_query(words)]
        )

    def relevance(self, words: Sequence[str]) -> Any:
        rank = "ts_rank(search_entry.words, to_tsquery('simple', %s))"
        return OrderBy(RawSQL(rank, [_query(words)]), descending=True)  # noqa: S611 - no input


def _query(words: Sequence[str]) -> str:
    return " & ".join(f"{word}:*" for word in words)
