"""`dougong-hub mirror`: copy what lies on this machine only to its second home."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.problem import Problem
from dougong_registry.storage.services import copy_out, without_copy


class Command(BaseCommand):
    """Print the place of each artifact that was copied; what has a copy is left alone."""

    help = "Copy artifacts to the dataset in DOUGONG_HF_REPO; run it again after a failure."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="artifacts at most")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for artifact in without_copy()[: options["limit"]]:
                self.stdout.write(copy_out(artifact).uri)
        except Problem as error:
            raise CommandError(error.detail) from error
