"""`dougong-hub rehearse`: fill an empty hub with made-up plugins, to measure its pages."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import track

from dougong_registry.boards.services import places_rebuild
from dougong_registry.contributions.months import months_rebuild
from dougong_registry.contributions.standings import standings_rebuild
from dougong_registry.plugins.models import Plugin
from dougong_registry.rehearsal.build import Rehearsal, Size
from dougong_registry.rehearsal.community import Community
from dougong_registry.rehearsal.pulls import Pulls
from dougong_registry.rehearsal.upkeep import Upkeep
from dougong_registry.search.services import entries_rebuild
from dougong_registry.statistics import statistics_refresh

COUNTS = ("plugins", "releases", "measurements", "people", "contributions", "pulls", "seed")


class Command(BaseCommand):
    help = "Fill an empty hub with made-up plugins, releases and measurements."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        size = Size()
        for name in COUNTS:
            parser.add_argument(f"--{name}", type=int, default=getattr(size, name))

    def handle(self, *args: Any, **options: Any) -> None:
        if Plugin.objects.exists():
            raise CommandError(
                "this hub has plugins; made-up ones go into an empty hub only: set DOUGONG_HOME or "
                "DOUGONG_DATABASE_URL to another one"
            )
        size = Size(**{name: options[name] for name in COUNTS})
        for what, total, steps in (
            ("plugins", size.plugins, Rehearsal(size).build()),
            ("search entries", size.plugins, entries_rebuild()),
            ("places on boards", size.plugins, places_rebuild()),
            ("contributions", size.contributions, Community(size).build()),
            ("pull requests", size.pulls, Pulls(size).build()),
            ("notices", 0, Upkeep(size).build()),
            ("people's roles", 0, standings_rebuild()),
            ("months", 0, months_rebuild()),
        ):
            done = [*track(steps, what, disable=not self.stdout.isatty())]
            made = done[-1] if done else 0
            self.stdout.write(f"{what}: {made} of {total}" if total else f"{what}: {made}")
        statistics_refresh()
