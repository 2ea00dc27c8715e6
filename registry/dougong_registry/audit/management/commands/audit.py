"""`dougong-hub audit verify`: was the log changed after it was written?"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import verify


class Command(BaseCommand):
    """Walk the chain of the audit log; exit status 1 where it breaks."""

    help = "Check the audit log's chain of hashes, or list its newest entries."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("verify", "list"))
        parser.add_argument("--head", default="", help="hash that must be in the chain")
        parser.add_argument("--limit", type=int, default=50, help="entries to list (default: 50)")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "list":
            self._list(options["limit"], as_json=options["json"])
            return
        chain = verify()
        if chain.broken_at is not None:
            raise CommandError(f"the audit log is broken: {chain.reason}")
        wanted = options["head"]
        if wanted and not Entry.objects.filter(hash=wanted).exists():
            raise CommandError(
                f"the audit log is broken: no entry has the hash {wanted}, so entries were cut off"
            )
        if options["json"]:
            self.stdout.write(json.dumps({"entries": chain.entries, "head": chain.head}))
        else:
            self.stdout.write(f"{chain.entries} entries, unbroken; head {chain.head}")

    def _list(self, limit: int, *, as_json: bool) -> None:
        for entry in reversed(Entry.objects.order_by("-seq")[: max(limit, 0)]):
            if as_json:
                row = {"seq": entry.seq, "at": entry.at.isoformat(), "actor": entry.actor}
                row |= {"verb": entry.verb, "target": entry.target, "hash": entry.hash}
                self.stdout.write(json.dumps(row | {"payload": json.loads(entry.payload)}))
            else:
                at = entry.at.strftime("%Y-%m-%d %H:%M:%S")
                words = (f"{entry.seq:>6}", at, entry.actor, entry.verb, entry.target)
                self.stdout.write("  ".join(words))
