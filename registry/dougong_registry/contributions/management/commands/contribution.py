"""`dougong-hub contribution confirm | void | credit`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.contributions.releases import release_credit
from dougong_registry.contributions.services import contribution_void, level_confirm
from dougong_registry.people.selectors import identity_find
from dougong_registry.plugins.models import Release
from dougong_registry.problem import Problem


class Command(BaseCommand):
    """Set levels and take records back, in the name of somebody who may."""

    help = "Confirm the level of a change, take a record back, credit published releases."

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        confirm = parts.add_parser("confirm", help="set the final level of a change")
        confirm.add_argument("contribution", type=int)
        confirm.add_argument("level")
        confirm.add_argument("--by", required=True, help="who decides: login, or provider:id")
        confirm.add_argument(
            "--evidence",
            required=True,
            action="append",
            help="kind:id, as run:7f3a or url:https...",
        )
        void = parts.add_parser("void", help="take a record back")
        void.add_argument("contribution", type=int)
        void.add_argument("--by", required=True)
        void.add_argument("--reason", required=True)
        parts.add_parser("credit", help="record releases published before there was a ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(self._done(options))
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error

    def _done(self, options: dict[str, Any]) -> str:
        if options["what"] == "credit":
            published = Release.objects.filter(published_at__isnull=False).select_related("plugin")
            return f"{sum(map(_credited, published.order_by('published_at', 'pk')))} recorded"
        by = identity_find(options["by"])
        if options["what"] == "void":
            row = contribution_void(
                contribution_id=options["contribution"], by=by, reason=options["reason"]
            )
            return f"{row.pk}: {row.replaces_id} is taken back"
        evidence = [
            {"kind": each[0], "id": each[2]}
            for each in (text.partition(":") for text in options["evidence"])
        ]
        row = level_confirm(
            contribution_id=options["contribution"],
            level=options["level"],
            decided_by=by,
            evidence=evidence,
        )
        return f"{row.pk}: {row.level}, instead of {row.replaces_id}"


def _credited(release: Release) -> bool:
    return release_credit(release=release) is not None
