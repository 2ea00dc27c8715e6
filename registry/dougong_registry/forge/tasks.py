"""What the hub's own queue runs for a forge: thin doors, shut where none is configured."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.forge import builds, queue
from dougong_registry.forge.checks.reporter import report as report_head
from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import configured
from dougong_registry.forge.poller import poll as poll_forge
from dougong_registry.forge.pulls import machine


@shared_task(name=queue.ADVANCE)
def advance(head_id: int) -> None:
    """Take a head as far as it goes now, and tell the forge."""
    if config := configured():
        with machine.alone(head_id) as mine:
            if mine:
                with Forge(config) as forge:
                    machine.advance(config, forge, head_id)
                    report_head(forge, head_id)


@shared_task(name="dougong_registry.forge.tasks.sweep")
def sweep() -> None:
    """Go on with every head that waited long enough."""
    if configured():
        for head_id in machine.due():
            queue.advance_send(head_id)
        builds.sweep()


@shared_task(name="dougong_registry.forge.tasks.poll")
def poll() -> None:
    """Ask the forge what changed."""
    if config := configured():
        with Forge(config) as forge:
            poll_forge(forge)
