"""The one place where the hub talks to the broker."""

from __future__ import annotations

import logging
import secrets

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from dougong_ci.report.routes import queue_of
from dougong_registry.submissions.models import Job

TASK = "dougong.judge"

logger = logging.getLogger(__name__)


def job_dispatch(*, job_id: int) -> bool:
    """Send a queued job to the workers; return whether the broker took it.

    A broker that is down is no error: the job stays queued, and the sweeper sends it later. Sending
    twice does no harm, because only one worker can claim a nonce.
    """
    # The app connects lazily, so that pages which only read never meet the broker.
    from dougong_registry.celery import app

    job = Job.objects.filter(pk=job_id, state=Job.State.QUEUED).first()
    if job is None:
        return False
    try:
        app.send_task(
            TASK,
            args=[job.pk, job.nonce, settings.DOUGONG_HUB_URL],
            queue=queue_of(job.device, job.hardware_class, job.priority),
            retry=False,
        )
    except (OperationalError, OSError) as error:
        logger.warning("job %s stays queued: the broker did not take it: %s", job.pk, error)
        return False
    Job.objects.filter(Q(pk=job.pk), nonce=job.nonce, state=Job.State.QUEUED).update(
        dispatched_at=timezone.now()
    )
    return True


def new_nonce() -> str:
    """Return a nonce that cannot be guessed."""
    return secrets.token_urlsafe(24)


def broker_reachable() -> bool:
    """Whether the broker answers now."""
    from dougong_registry.celery import app

    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except (OperationalError, OSError):
        return False
    return True
