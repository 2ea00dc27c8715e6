"""What the hub's own queue runs: a thin door to the services."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.reruns import drawing, services


@shared_task(name="dougong_registry.reruns.tasks.reruns_advance")
def reruns_advance() -> None:
    """Draw the week's sample if it is due, ask for first places, send a few orders."""
    drawing.draw_week()
    services.first_places_order()
    services.reruns_advance()
