"""`dougong-hub sample verify | list`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.audit.models import Entry
from dougong_registry.reruns.drawing import draw_again
from dougong_registry.reruns.models import Draw, Rerun


class Command(BaseCommand):
    """Draw the weekly samples again; exit status 1 where one does not come out the same."""

    help = "List the weekly samples of runs that are checked, or draw them again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("list", "verify"))

    def handle(self, *args: Any, **options: Any) -> None:
        for draw in Draw.objects.order_by("pk"):
            if options["what"] == "verify":
                _verify(draw)
            many = draw.reruns.count()
            self.stdout.write(f"{draw.week}  {many} of {draw.population} runs, seed {draw.seed}")


def _verify(draw: Draw) -> None:
    same, chosen = draw_again(draw)
    if not same:
        raise CommandError(f"{draw.week}: the runs in force at {draw.cutoff} are others now")
    if not Entry.objects.filter(hash=draw.seed, target=f"sample:{draw.week}").exists():
        raise CommandError(f"{draw.week}: the seed is no entry of the audit log")
    drawn = set(draw.reruns.values_list("first__verdict_id", flat=True))
    # One that was being checked already, as first of a board, was not asked for twice.
    checked = Rerun.objects.filter(first__verdict_id__in=chosen, created_at__lte=draw.drawn_at)
    if drawn | set(checked.values_list("first__verdict_id", flat=True)) != set(chosen):
        raise CommandError(f"{draw.week}: the seed does not choose the runs that were checked")
