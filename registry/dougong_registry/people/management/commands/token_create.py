"""`dougong-hub token_create`: make a token and print it, once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.people.services import SCOPES, token_create
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Print a new token on standard output; it cannot be read again."""

    help = "Make an API token for a submitter and print it; it is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--login", required=True, help="who submits with it")
        parser.add_argument(
            "--scope",
            default="submit yank",
            help=f"what it opens, of {', '.join(SCOPES)} (default: submit yank)",
        )
        parser.add_argument("--days", type=int, default=90, help="how long it lasts (default: 90)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plain = token_create(
                login=options["login"], scope=options["scope"], days=options["days"]
            )
        except Problem as error:
            raise CommandError(error.detail) from error
        self.stdout.write(plain)
