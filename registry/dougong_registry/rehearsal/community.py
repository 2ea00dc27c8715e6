"""Made-up contributions: a few people do most, as in any project, and others review them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from dougong_registry.contributions.models import Affiliation, Contribution, RoleAct, Sponsorship
from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.rehearsal.build import Size, inserted

MONTHS = 36
"""Over which they are spread."""
HELD = (("maintainer", 10), ("reviewer", 40), ("member", 150))
"""How many people are granted each role, at most."""
EMPLOYERS = ("Acme", "Initech", "Hooli", "Globex", "independent")
TAKEN_BACK = 0.01


class Community:
    """Makes roles, then changes with their reviews, triages and reports."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.draw = random.Random(size.seed)  # noqa: S311 - no secret
        self.now = timezone.now()
        self.policy = policy_in_force()
        self.people: list[int] = []
        self.trusted: list[int] = []
        self.plugins: list[int] = []
        self.threads = 0

    def build(self, batch: int = 5_000) -> Iterator[int]:
        """Fill the ledger; yields how many records there are after each batch."""
        self.people = list(Identity.objects.order_by("pk").values_list("pk", flat=True))
        self.plugins = list(Plugin.objects.order_by("pk").values_list("pk", flat=True))
        self.trusted = self.people[: sum(count for role, count in HELD if role != "member")]
        with transaction.atomic():
            self.roles()
        done = 0
        while done < self.size.contributions and len(self.people) > 1:
            count = min(batch, self.size.contributions - done)
            with transaction.atomic():
                rows: list[Contribution] = []
                while len(rows) < count:
                    rows += self.thread()
                self.taken_back(inserted(rows[:count]), count)
            done += count
            yield done

    def roles(self) -> None:
        """Grant roles to the first of the people, by the very first."""
        start, place = self.now - dt.timedelta(days=30 * MONTHS), 0
        for role, count in HELD:
            held = self.people[place : place + count]
            place += count
            inserted(self.act(person, role, start) for person in held)
            inserted(
                Affiliation(person_id=each, name=self.draw.choice(EMPLOYERS), since=start)
                for each in held
            )
            inserted(
                Sponsorship(
                    person_id=person,
                    sponsor_id=sponsor,
                    role=role,
                    sponsor_role="maintainer",
                    affiliation=self.draw.choice(EMPLOYERS),
                    reason="made up",
                    at=start,
                )
                for person in held
                for sponsor in self.people[:2]
                if sponsor != person
            )

    def act(self, person: int, role: str, at: dt.datetime) -> RoleAct:
        """Return a grant by the first maintainer, who was named by whoever runs the hub."""
        return RoleAct(
            person_id=person,
            act="grant",
            role=role,
            by_id=None if person == self.people[0] else self.people[0],
            reason="made up",
            policy_version=self.policy.version,
            policy_sha256=self.policy.sha256,
            at=at,
        )

    def somebody(self, *but: int) -> int:
        """Draw one of the people, the first ones far more often than the last."""
        while True:
            person = self.people[min(int(self.draw.paretovariate(0.45)), len(self.people)) - 1]
            if person not in but:
                return person

    def thread(self) -> Iterator[Contribution]:
        """Yield what comes of one thread: answers, and the change or report that opened it."""
        self.threads += 1
        author = self.somebody()
        ended = self.now - dt.timedelta(days=self.draw.uniform(0, 30 * MONTHS))
        opened = ended - dt.timedelta(days=min(self.draw.lognormvariate(1, 1.2), 200))
        plugin = self.draw.choice(self.plugins) if self.plugins else None
        thread = f"rehearsal:{self.threads}"

        def record(kind: str, person: int, at: dt.datetime, **values: object) -> Contribution:
            source = f"{thread} {kind} {at.isoformat()}"
            return Contribution(
                person_id=person,
                kind=kind,
                plugin_id=plugin,
                summary="Made up for a rehearsal.",
                evidence=[{"kind": "url", "id": f"https://example.org/{self.threads}"}],
                source=source,
                thread=thread,
                occurred_at=at,
                policy_version=self.policy.version,
                recorded_at=at,
                **values,
            )

        def between() -> dt.datetime:
            return opened + (ended - opened) * self.draw.uniform(0.02, 0.98)

        for _ in range(self.draw.choice((0, 1, 1, 2))):
            yield record("review", self.somebody(author), between(), about_id=author)
        if self.draw.random() < 0.25:
            yield record("triage", self.somebody(author), between())
        if self.draw.random() < 0.1:
            yield record("report", author, ended, opened_at=opened)
            return
        decider = self.draw.choice(self.trusted)
        confirmed = decider != author and self.draw.random() < 0.7
        yield record(
            "change",
            author,
            ended,
            level=self.draw.choices(("L1", "L2", "L3"), (70, 26, 4))[0],
            decided_by_id=decider if confirmed else None,
            opened_at=opened,
        )

    def taken_back(self, rows: list[Contribution], count: int) -> None:
        """Take a few of the rows back, by the first maintainer or the hub."""
        chosen = self.draw.sample(rows, int(count * TAKEN_BACK))
        inserted(
            Contribution(
                person_id=row.person_id,
                kind="void",
                decided_by_id=None if row.person_id == self.people[0] else self.people[0],
                plugin_id=row.plugin_id,
                summary="Made up: reverted.",
                evidence=row.evidence,
                source=f"instead of {row.pk}",
                occurred_at=row.occurred_at,
                replaces=row,
                policy_version=self.policy.version,
                recorded_at=row.recorded_at,
            )
            for row in chosen
        )
