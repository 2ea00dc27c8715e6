"""`dougong-hub rejudge list | start | stop`."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.campaigns.models import Campaign
from dougong_registry.campaigns.services import campaign_start, campaign_stop
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Judge everything on one kind of machine again, or stop doing so."""

    help = "List campaigns of judging again, start one by hand, or stop one."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("list", help="every campaign, oldest first")
        start = parts.add_parser("start", help="judge all that is in force there again")
        start.add_argument("hardware", help="hardware class, as /hardware/ lists them")
        start.add_argument("--because", required=True)
        stop = parts.add_parser("stop", help="order nothing more; the hub does not start it again")
        stop.add_argument("campaign", type=int, help="its number")
        stop.add_argument("--because", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        actor = f"shell:{getpass.getuser()}"
        try:
            if options["what"] == "list":
                for campaign in Campaign.objects.order_by("pk"):
                    self.stdout.write(_line(campaign))
                return
            if options["what"] == "start":
                done = campaign_start(
                    hardware_class=options["hardware"], because=options["because"], actor=actor
                )
            else:
                done = campaign_stop(
                    campaign_id=options["campaign"], because=options["because"], actor=actor
                )
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(_line(done))


def _line(campaign: Campaign) -> str:
    state = campaign.ended_as or "live"
    return f"{campaign}  {campaign.done} of {campaign.total}  {state}: {campaign.because}"
