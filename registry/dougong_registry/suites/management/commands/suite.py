"""`dougong-hub suite list | retire`."""

from __future__ import annotations

import datetime as dt
import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.boards.selectors.suites import suites_list
from dougong_registry.problem import Problem
from dougong_registry.suites.services import suite_retire


class Command(BaseCommand):
    """List suites, or say when one retires; a day that was said stands."""

    help = "List suites and when they retire, or say from which day one gives no rank any more."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("list", help="every suite that something was judged under")
        retire = parts.add_parser("retire", help="say the day; it cannot be changed")
        retire.add_argument("suite", help="<contract>/<version>, as norm.rms@1/2026.1")
        retire.add_argument("--on", required=True, type=_day, help="YYYY-MM-DD, in UTC")
        retire.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            for row in suites_list():
                day = f", retires on {row.retires_on}" if row.retires_on else ""
                self.stdout.write(
                    f"{row.contract}/{row.version}  {row.state}{day}  {row.runs} runs"
                )
            return
        try:
            done, _ = suite_retire(
                suite=options["suite"],
                retires_on=options["on"],
                reason=options["reason"],
                actor=f"shell:{getpass.getuser()}",
            )
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(str(done))


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
