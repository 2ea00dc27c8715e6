"""Django app of the search."""

from __future__ import annotations

from collections import deque
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class SearchConfig(AppConfig):
    name = "dougong_registry.search"
    label = "search"

    def ready(self) -> None:
        """Make the word index after every `migrate`: SQLite loses triggers with a remade table."""
        post_migrate.connect(_after_migrate, sender=self)


def _after_migrate(sender: Any, using: str, **_: Any) -> None:
    from dougong_registry.boards.services import places_rebuild
    from dougong_registry.search.backends import index_ensure
    from dougong_registry.search.services import entries_missing, entries_rebuild

    if index_ensure(connections[using]) and entries_missing():
        # A hub from before there were entries.
        for rebuilt in (entries_rebuild(), places_rebuild()):
            deque(rebuilt, maxlen=0)
