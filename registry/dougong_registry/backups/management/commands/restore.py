"""`dougong-hub restore FILE`: this hub becomes the one that was backed up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.backups.services import backup_restore
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Restore a backup into this hub; stop the hub's processes first."""

    help = "Put a backup in this hub's place, after its hashes and its database were checked."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="what `dougong-hub backup` wrote")
        parser.add_argument("--force", action="store_true", help="replace the hub that is there")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chain = backup_restore(path=options["file"], force=options["force"])
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(
            f"restored; audit log of {chain.entries} entries, unbroken; head {chain.head}. Now run "
            "`dougong-hub migrate`"
        )
