"""`dougong-hub staff add | remove LOGIN`: who may log in at /admin/."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.people.services import identity_ensure
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Give an account a new password, printed once, or close it; both are audited."""

    help = "Let somebody in at /admin/ with a new password, or out: one account a person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("add", "remove"))
        parser.add_argument("login")

    def handle(self, *args: Any, **options: Any) -> None:
        login, added = options["login"], options["what"] == "add"
        password = secrets.token_urlsafe(18)
        accounts = User.objects
        if not added and not accounts.filter(username=login).exists():
            raise CommandError(f"nobody called {login} is on the staff", returncode=2)
        try:
            with transaction.atomic():
                account, _ = accounts.get_or_create(username=login)
                account.is_staff = account.is_active = added
                # A changed password ends every session of the account.
                account.set_password(password if added else None)
                account.save()
                verb = "staff.added" if added else "staff.removed"
                record(actor=HUB, verb=verb, target=actor_of(identity_ensure(login=login)))
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(
            f"{login} may log in at /admin/ with {password}; it is shown only now"
            if added
            else f"{login} is out, and every session of theirs has ended"
        )
