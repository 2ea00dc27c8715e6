"""`dougong-hub export OUT`: the whole hub as JSON lines, wheels and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.exports.outgoing import export_write
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Write an export; the hub may go on working meanwhile."""

    help = "Write everything public of this hub into a new folder, for `dougong-hub import`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out", type=Path, help="folder to make")
        parser.add_argument("--no-artifacts", action="store_true", help="leave out the wheels")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            written = export_write(out=options["out"], with_artifacts=not options["no_artifacts"])
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        rows = sum(table.rows for table in written.tables.values())
        self.stdout.write(
            f"{rows} rows of {len(written.tables)} tables and {written.artifacts} wheels in "
            f"{options['out']}; audit head {written.audit_head}"
        )
