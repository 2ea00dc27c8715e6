"""`dougong-hub advisory publish | withdraw | key`."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_ci.report import signing
from dougong_registry.advisories.keys import private_key
from dougong_registry.advisories.models import KINDS, SEVERITIES
from dougong_registry.advisories.services import advisory_publish, advisory_withdraw
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Print the number of the advisory, or the hub's key, on standard output."""

    help = "Publish or withdraw an advisory; with --revoke, clients refuse what it names."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        publish = commands.add_parser("publish", help="say what is wrong with releases")
        publish.add_argument("plugin", help="name of the distribution")
        publish.add_argument("--versions", required=True, help="a range, '<1.2'; '*' means all")
        publish.add_argument("--kind", required=True, choices=KINDS)
        publish.add_argument("--severity", required=True, choices=SEVERITIES)
        publish.add_argument("--summary", required=True, help="one line")
        publish.add_argument("--details", default="", help="as long as it takes")
        publish.add_argument(
            "--revoke", action="store_true", help="nobody may install or load them any more"
        )
        withdraw = commands.add_parser("withdraw", help="take an advisory back")
        withdraw.add_argument("number", help="DGSA-YYYY-NNNN")
        withdraw.add_argument("--reason", required=True)
        commands.add_parser("key", help="print the key that the feed is signed with")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = f"shell:{getpass.getuser()}"
        if options["what"] == "key":
            public = signing.public_of(private_key())
            self.stdout.write(f"{signing.key_id(public)} {public}")
            return
        try:
            if options["what"] == "withdraw":
                done = advisory_withdraw(
                    number=options["number"], reason=options["reason"], actor=actor
                )
            else:
                words = ("plugin", "versions", "kind", "severity", "summary", "details", "revoke")
                done = advisory_publish(**{word: options[word] for word in words}, actor=actor)
        except Problem as error:
            raise CommandError(error.detail) from error
        self.stdout.write(done.number)
