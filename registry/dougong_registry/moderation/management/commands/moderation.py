"""`dougong-hub moderation propose | approve | list`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.moderation.models import PROTECTIVE, TRUSTING, Action
from dougong_registry.moderation.services import action_approve, action_propose
from dougong_registry.people.models import Identity
from dougong_registry.problem import Missing, Problem


class Command(BaseCommand):
    """Protect at once; trust again when two people agree."""

    help = "Quarantine a plugin, revoke a runner, hold a run; with a second person take it back."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        propose = parts.add_parser("propose", help="what protects is done at once")
        propose.add_argument("kind", choices=PROTECTIVE + TRUSTING)
        propose.add_argument("target", help="plugin, runner or run id")
        propose.add_argument("--reason", required=True)
        propose.add_argument("--login", required=True, help="who proposes")
        approve = parts.add_parser("approve", help="agree to what another person proposed")
        approve.add_argument("action", type=int, help="its number")
        approve.add_argument("--login", required=True, help="who approves")
        parts.add_parser("list", help="everything proposed and done, oldest first")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "list":
                for action in Action.objects.select_related("proposer", "approver").order_by("pk"):
                    self.stdout.write(_line(action))
                return
            person = _person(options["login"])
            if options["what"] == "approve":
                action = action_approve(action_id=options["action"], approver=person)
            else:
                action = action_propose(
                    kind=options["kind"],
                    target=options["target"],
                    reason=options["reason"],
                    proposer=person,
                )
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(_line(action))


def _person(login: str) -> Identity:
    found = Identity.objects.filter(provider="local", external_id=login).first()
    if found is None:
        raise Missing(f"nobody is known as {login}; `dougong-hub token_create --login {login}`")
    return found


def _line(action: Action) -> str:
    who = action.proposer.login + (f" and {action.approver.login}" if action.approver else "")
    done = "done" if action.executed_at is not None else "waits for a second person"
    return f"{action.pk}  {action.kind}  {action.target}  by {who}  {done}: {action.reason}"
