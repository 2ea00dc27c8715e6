"""The Celery app of a runner. Torch is loaded with the first job, not with the app."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from kombu import Queue

from dougong_ci.hardware import hardware
from dougong_ci.report.routes import queues_of
from dougong_ci.worker.beacon import Beacon
from dougong_ci.worker.drain import drain

log = logging.getLogger(__name__)
HARDWARE = hardware((os.environ.get("DOUGONG_DEVICE") or "cpu").split(","))

app = Celery("dougong_ci")
app.conf.update(
    broker_url=os.environ.get("DOUGONG_BROKER_URL", ""),
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # Above the longest judgement, so that the broker never delivers a job twice on its own.
        "visibility_timeout": 6 * 3600,
        # Queues in their order: urgent ones first.
        "queue_order_strategy": "priority",
    },
    task_queues=[Queue(name, routing_key=name) for name in queues_of(HARDWARE)],
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


@app.task(name="dougong.build")  # type: ignore[untyped-decorator, unused-ignore]  # as above
def build_job(build_id: int, nonce: str, hub_url: str) -> None:
    """Build the wheel of a pull request for a hub; a build that is over is dropped."""
    from dougong_ci.worker.build import perform

    perform(build_id, nonce, os.environ.get("DOUGONG_HUB_URL") or hub_url)


@worker_ready.connect  # type: ignore[untyped-decorator, unused-ignore]
def _begin(**_: Any) -> None:
    hub_url, key = os.environ.get("DOUGONG_HUB_URL"), os.environ.get("DOUGONG_RUNNER_KEY")
    if hub_url and key:
        Beacon(hub_url, Path(key).read_text("ascii"), HARDWARE, drain).start()
    else:
        log.warning("no heartbeats: set DOUGONG_HUB_URL and DOUGONG_RUNNER_KEY")


@worker_shutting_down.connect  # type: ignore[untyped-decorator, unused-ignore]
def _leave(**_: Any) -> None:
    drain.begin()
