"""What the hub's own queue runs."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.publishing.exchanging import exchanges_forget as forget


@shared_task(name="dougong_registry.publishing.tasks.exchanges_forget")
def exchanges_forget() -> None:
    """Take away the ID tokens that are long over."""
    forget()
