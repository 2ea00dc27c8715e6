"""`dougong-hub backup FILE`: everything of this hub in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.backups.services import backup_write
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Write a backup; the hub goes on working meanwhile."""

    help = "Write database, wheels and secrets to one file; keep it as you keep a password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="file to make (a tar)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = backup_write(path=options["file"])
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(f"{len(found.files)} files of a hub on {found.engine}: {options['file']}")
