"""`dougong-hub token list | revoke`: which tokens there are, and closing one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dougong_registry.people.models import ApiToken
from dougong_registry.people.services import token_revoke
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Name tokens by their first characters: nothing else of them is kept readable."""

    help = "List the API tokens, or revoke one by its first characters."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("list", "revoke"))
        parser.add_argument("hint", nargs="?", default="", help="first characters, as listed")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            self._list()
            return
        try:
            token = token_revoke(hint=options["hint"])
        except Problem as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"revoked {token.hint}... of {token.identity.login}")

    def _list(self) -> None:
        now = timezone.now()
        for token in ApiToken.objects.select_related("identity").order_by("pk"):
            state = "expired" if token.expires_at <= now else "good"
            state = "revoked" if token.revoked_at else state
            used = token.last_used_at and f"{token.last_used_at:%Y-%m-%d}"
            parts = (token.hint, token.identity.login, token.scope, state)
            until = f"until {token.expires_at:%Y-%m-%d}"
            self.stdout.write("  ".join((*parts, until, f"last used {used or 'never'}")))
