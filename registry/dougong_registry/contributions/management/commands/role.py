"""`dougong-hub role found | sponsor | grant | restore | end | affiliate | show`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.contributions import roles
from dougong_registry.contributions.standings import decision_now
from dougong_registry.people.models import Identity
from dougong_registry.people.selectors import identity_find
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Decide about roles, in the name of somebody who may."""

    help = "Sponsor, grant, restore and end roles; show where somebody stands."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        show = parts.add_parser("show", help="the role, why, and what is missing for the next")
        show.add_argument("person", help="login, or provider:id")
        found = parts.add_parser("found", help="name the first maintainer")
        found.add_argument("person")
        found.add_argument("--reason", required=True)
        for what, takes_role in (("sponsor", 1), ("grant", 1), ("restore", 0), ("end", 0)):
            part = parts.add_parser(what)
            part.add_argument("person")
            if takes_role:
                part.add_argument("role")
            part.add_argument("--by", required=True, help="who decides: login, or provider:id")
            part.add_argument("--reason", required=True)
        affiliate = parts.add_parser("affiliate", help="say whom somebody works for from now on")
        affiliate.add_argument("person")
        affiliate.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = identity_find(options["person"])
            self._act(person, options)
            decision = decision_now(person)
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(
            f"{person.login}: {decision.role or 'no role'} {decision.standing}".rstrip()
        )
        for reason in decision.reasons:
            self.stdout.write(f"  {reason}")
        for each in decision.missing:
            self.stdout.write(f"  missing for {decision.next_role}: {each}")

    def _act(self, person: Identity, options: dict[str, Any]) -> None:
        what, reason = options["what"], options.get("reason") or ""
        if what == "found":
            roles.role_found(person=person, reason=reason)
        elif what == "affiliate":
            roles.affiliation_state(person=person, name=options["name"])
        elif what != "show":
            by = identity_find(options["by"])
            if what == "sponsor":
                roles.sponsor_add(person=person, sponsor=by, role=options["role"], reason=reason)
            elif what == "grant":
                roles.role_grant(person=person, role=options["role"], by=by, reason=reason)
            elif what == "restore":
                roles.role_restore(person=person, by=by, reason=reason)
            else:
                roles.role_end(person=person, by=by, reason=reason)
