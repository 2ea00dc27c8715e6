"""`dougong-hub reindex`: make what lists and boards read anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dougong_registry.boards.services import places_rebuild
from dougong_registry.contributions.months import months_rebuild
from dougong_registry.contributions.standings import standings_rebuild
from dougong_registry.search.services import entries_rebuild


class Command(BaseCommand):
    help = "Make anew what lists, boards and people's pages read, from what is recorded."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, rebuilt in (
            ("search entries", entries_rebuild()),
            ("places", places_rebuild()),
            ("people's roles", standings_rebuild()),
            ("months", months_rebuild()),
        ):
            done = 0
            for done in rebuilt:
                self.stdout.write(f"\r{name}: {done}", ending="")
            self.stdout.write(f"\r{name}: {done}")
