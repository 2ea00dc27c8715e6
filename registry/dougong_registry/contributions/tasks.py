"""What the hub's own queue runs: a thin door to the services."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.contributions.standings import standings_rebuild


@shared_task(name="dougong_registry.contributions.tasks.standings_refresh")
def standings_refresh() -> None:
    """Let time pass for everybody: roles that rest, months that are full."""
    for _ in standings_rebuild():
        pass
