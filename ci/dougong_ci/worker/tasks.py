"""The Celery app of a runner. Torch is loaded with the first job, not with the app."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("dougong_ci")
app.conf.update(
    broker_url=os.environ.get("DOUGONG_BROKER_URL", ""),
    broker_connection_retry_on_startup=True,
    # Above the longest judgement, so that the broker never delivers a job twice on its own.
    broker_transport_options={"visibility_timeout": 6 * 3600},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
)


@app.task(name="dougong.judge")  # type: ignore[untyped-decorator, unused-ignore]  # Celery has no types of its own
def judge_job(job_id: int, nonce: str, hub_url: str) -> None:
    """Judge one job of a hub; a job that is somebody else's by now is dropped."""
    from dougong_ci.worker.job import perform

    perform(job_id, nonce, os.environ.get("DOUGONG_HUB_URL") or hub_url)
