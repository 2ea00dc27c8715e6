"""What the hub's own queue runs: thin doors to the services."""

from __future__ import annotations

from celery import shared_task

from dougong_registry.plugins import store
from dougong_registry.submissions import dispatch, jobs


@shared_task(name="dougong_registry.submissions.tasks.jobs_requeue_expired")
def jobs_requeue_expired() -> None:
    """Take back jobs whose lease ran out, then send what waits."""
    jobs.jobs_requeue_expired()
    dispatch.jobs_dispatch_waiting()


@shared_task(name="dougong_registry.submissions.tasks.store_sweep")
def store_sweep() -> None:
    """Drop uploads that were cut off by the death of a process."""
    store.sweep()
