"""What the hub does by itself about people who signed in."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command


@shared_task(name="dougong_registry.accounts.tasks.sessions_forget")
def sessions_forget() -> None:
    """Delete the sessions that are over; nobody can use one, and the table would only grow."""
    call_command("clearsessions")
