"""`dougong-hub tokens list | revoke | revoke-all`: which tokens there are, and closing them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from dougong_registry.people.models import ApiToken
from dougong_registry.people.selectors import identity_find
from dougong_registry.people.services import everything_revoke, token_revoke
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Name tokens by their first characters: nothing else of them is kept readable."""

    help = (
        "List the API tokens, revoke one by its first characters, or revoke all of a person, "
        "who is signed out everywhere too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("list", "revoke", "revoke-all"))
        parser.add_argument(
            "whose",
            nargs="?",
            default="",
            help="first characters of a token as listed; with revoke-all a login or provider:id",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            self._list()
            return
        try:
            if options["what"] == "revoke-all":
                self._revoke_all(options["whose"])
                return
            token = token_revoke(hint=options["whose"])
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(f"revoked {token.hint}... of {token.identity.login}")

    def _revoke_all(self, whose: str) -> None:
        identity = identity_find(whose)
        closed = everything_revoke(identity=identity)
        signed_out = (
            "signed out everywhere" if settings.GITHUB else "sign-in is not set up here: no session"
        )
        self.stdout.write(f"revoked {closed} tokens of {identity.login}; {signed_out}")

    def _list(self) -> None:
        now = timezone.now()
        for token in ApiToken.objects.select_related("identity").order_by("pk"):
            state = "expired" if token.expires_at <= now else "good"
            state = "revoked" if token.revoked_at else state
            used = token.last_used_at and f"{token.last_used_at:%Y-%m-%d}"
            parts = (token.hint, token.identity.login, token.scope, state)
            until = f"until {token.expires_at:%Y-%m-%d}"
            self.stdout.write("  ".join((*parts, until, f"last used {used or 'never'}")))
