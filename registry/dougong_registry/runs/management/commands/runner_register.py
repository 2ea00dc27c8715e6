"""`dougong-hub runner_register`: let a machine's verdicts in."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.problem import Problem
from dougong_registry.runs.services import runner_register


class Command(BaseCommand):
    """Print the key id of the registered runner on standard output."""

    help = "Register a runner by its public key; the same name and key again change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="unique name of the machine")
        parser.add_argument("--public-key", required=True, help="Ed25519, 32 raw bytes in base64")
        parser.add_argument("--official", action="store_true", help="rank its runs on the boards")
        parser.add_argument(
            "--hardware-class", default="", help="refuse verdicts that say another one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            runner = runner_register(
                name=options["name"],
                public_key=options["public_key"],
                official=options["official"],
                hardware_class=options["hardware_class"],
            )
        except Problem as error:
            raise CommandError(error.detail) from error
        self.stdout.write(runner.key_id)
