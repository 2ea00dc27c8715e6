"""What the hub's own queue runs: a thin door to the service."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.campaigns import services


@shared_task(name="dougong_registry.campaigns.tasks.campaigns_advance")
def campaigns_advance() -> None:
    """Take every campaign one step further."""
    services.campaigns_advance()
