"""`dougong-hub import IN`: an empty hub becomes the one that was exported."""

# ruff: noqa: N999 - the command is called `import`, and Django names commands by their modules

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.exports.incoming import import_read
from dougong_registry.problem import Problem
from dougong_registry.statistics import statistics_refresh


class Command(BaseCommand):
    """Read an export; every hash, signature and link of the audit log is checked."""

    help = "Fill this hub, empty and migrated, from a folder that `dougong-hub export` wrote."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="an export")
        parser.add_argument("--no-artifacts", action="store_true", help="do without the wheels")
        parser.add_argument(
            "--recompute", action="store_true", help="compute every score again from raw samples"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = import_read(
                folder=options["folder"],
                with_artifacts=not options["no_artifacts"],
                recompute=options["recompute"],
            )
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        statistics_refresh()
        rows = sum(table.rows for table in found.tables.values())
        self.stdout.write(
            f"{rows} rows of {len(found.tables)} tables imported; audit head {found.audit_head}"
        )
