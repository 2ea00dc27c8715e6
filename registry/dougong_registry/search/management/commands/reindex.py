"""`dougong-hub reindex`: make what lists and boards read anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dougong_registry.boards.services import places_rebuild
from dougong_registry.search.services import entries_rebuild


class Command(BaseCommand):
    help = "Make the search entries and the boards' places anew, from operators and runs."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, rebuilt in (("search entries", entries_rebuild()), ("places", places_rebuild())):
            done = 0
            for done in rebuilt:
                self.stdout.write(f"\r{name}: {done}", ending="")
            self.stdout.write(f"\r{name}: {done}")
