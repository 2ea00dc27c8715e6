"""The hub's side of the queue: it sends judgements out by name and sweeps what was lost.

The broker may be gone at any moment. A request must not wait for it: connecting is tried once,
briefly, and what was not sent stays queued in the database until the sweeper sends it.
"""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dougong_registry.settings")

_FORGE = {
    "go on with pull requests": {
        "task": "dougong_registry.forge.tasks.sweep",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
    "ask the forge": {
        "task": "dougong_registry.forge.tasks.poll",
        "schedule": float(settings.FORGE_POLL_S),
        "options": {"expires": float(settings.FORGE_POLL_S), "queue": "forge"},
    },
}
_SESSIONS = {
    "forget sessions that are over": {
        "task": "dougong_registry.accounts.tasks.sessions_forget",
        "schedule": 24 * 3600.0,
        "options": {"expires": 24 * 3600.0},
    },
}

app = Celery("dougong_registry")
app.conf.update(
    broker_url=settings.DOUGONG_BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        # Above the longest judgement, so that the broker never delivers one twice on its own.
        "visibility_timeout": 6 * 3600,
    },
    task_publish_retry=False,
    task_ignore_result=True,
    task_default_queue="hub",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        "requeue expired jobs": {
            "task": "dougong_registry.submissions.tasks.jobs_requeue_expired",
            "schedule": 10.0,
            # A sweep that waited this long is overtaken by the next one.
            "options": {"expires": 10.0},
        },
        "judge again by what is newest": {
            "task": "dougong_registry.campaigns.tasks.campaigns_advance",
            "schedule": 60.0,
            "options": {"expires": 60.0},
        },
        "check runs by second ones": {
            "task": "dougong_registry.reruns.tasks.reruns_advance",
            "schedule": 60.0,
            "options": {"expires": 60.0},
        },
        "forget what CI exchanged": {
            "task": "dougong_registry.publishing.tasks.exchanges_forget",
            "schedule": 3600.0,
            "options": {"expires": 3600.0},
        },
        "drop uploads cut off": {
            "task": "dougong_registry.submissions.tasks.store_sweep",
            "schedule": 3600.0,
            "options": {"expires": 3600.0},
        },
        "let time pass for roles": {
            "task": "dougong_registry.contributions.tasks.standings_refresh",
            "schedule": 24 * 3600.0,
            "options": {"expires": 24 * 3600.0},
        },
        **(_FORGE if settings.FORGE else {}),
        **(_SESSIONS if "django.contrib.sessions" in settings.INSTALLED_APPS else {}),
    },
)
app.autodiscover_tasks(
    [
        f"dougong_registry.{domain}"
        for domain in (
            "submissions",
            "campaigns",
            "reruns",
            "contributions",
            "publishing",
            "forge",
            "accounts",
        )
    ]
)
