"""`dougong-hub publishers list | add | remove`: which CI jobs a plugin trusts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.problem import Problem
from dougong_registry.publishing.models import Publisher
from dougong_registry.publishing.services import publisher_add, publisher_remove


class Command(BaseCommand):
    """What an owner does on the account page, for hubs without one."""

    help = "List the trusted publishers, or add or remove one in the name of the plugin's owner."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("list")
        add = what.add_parser("add")
        add.add_argument("plugin")
        add.add_argument("--repository-id", type=int, required=True, help="its numeric id")
        add.add_argument("--owner-id", type=int, required=True, help="numeric id of its owner")
        add.add_argument("--workflow", required=True, help="file, as release.yml")
        add.add_argument("--environment", default="", help="that the job must have")
        add.add_argument("--repository", default="", help="owner/name, to be shown only")
        remove = what.add_parser("remove")
        remove.add_argument("publisher", type=int, help="number, as listed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except Problem as error:
            raise CommandError(error.detail, returncode=2) from error

    def _list(self, _: dict[str, Any]) -> None:
        rows = Publisher.objects.select_related("plugin").filter(removed_at=None).order_by("pk")
        for row in rows:
            self.stdout.write(_line(row))

    def _add(self, options: dict[str, Any]) -> None:
        row = publisher_add(
            plugin=options["plugin"],
            repository_id=options["repository_id"],
            repository_owner_id=options["owner_id"],
            workflow=options["workflow"],
            environment=options["environment"],
            repository=options["repository"],
        )
        self.stdout.write(f"trusted: {_line(row)}")

    def _remove(self, options: dict[str, Any]) -> None:
        row = publisher_remove(publisher_id=options["publisher"])
        self.stdout.write(f"removed: {_line(row)}")


def _line(row: Publisher) -> str:
    where = f"repository {row.repository_id} of {row.repository_owner_id}"
    shown = f" ({row.repository})" if row.repository else ""
    in_ = f" in {row.environment}" if row.environment else ""
    return f"{row.pk}  {row.plugin.canonical}  {where}{shown}  {row.workflow}{in_}"
