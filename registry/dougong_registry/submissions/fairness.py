"""Whose job goes next: the whole policy, as one pure function."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from dougong_ci.report.routes import PRIORITIES

HUB = 0
"""The author of what the hub orders by itself; no person's row has this number."""
Route = tuple[str, str]
"""Device and hardware class (empty: any) that a job needs."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job that could be sent now."""

    id: int
    author: int
    route: Route
    priority: str


def choose(
    waiting: Iterable[Waiting],
    *,
    at_work: Mapping[int, int],
    slots: Mapping[Route, int],
    limit: int,
) -> list[int]:
    """Return the ids of the jobs to send now, in order.

    Urgent jobs go before ordinary ones, and those before the ones that can wait. Among equals the
    author with the fewest jobs under way is next, then the job that came first: authors take
    turns, so a hundred jobs of one are no obstacle to the first of another. Nobody has more than
    `limit` jobs under way, and no route gets more than it has slots: what is left waits here and
    not at the broker, where order could no longer be changed.

    What the hub orders by itself counts as one more author's, so it takes nothing of a person's
    limit, and can always wait.

    Args:
        waiting: The jobs.
        at_work: Jobs of each author that were sent or claimed and are not over.
        slots: How many more jobs each route can take.
        limit: Of each author.
    """
    rank = {name: position for position, name in enumerate(PRIORITIES)}
    lines: dict[tuple[int, Route], list[Waiting]] = {}
    for job in sorted(waiting, key=lambda job: (rank[job.priority], job.id)):
        lines.setdefault((job.author, job.route), []).append(job)
    for line in lines.values():
        line.reverse()
    load, left = dict(at_work), dict(slots)
    chosen: list[int] = []
    while True:
        heads = [
            line[-1]
            for (author, route), line in lines.items()
            if line and left.get(route, 0) > 0 and load.get(author, 0) < limit
        ]
        if not heads:
            return chosen
        job = min(heads, key=lambda job: (rank[job.priority], load.get(job.author, 0), job.id))
        lines[job.author, job.route].pop()
        load[job.author] = load.get(job.author, 0) + 1
        left[job.route] -= 1
        chosen.append(job.id)
