"""What must be there before the hub starts: tables, static files, runners, a token.

Runs in the supervisor's own process: one import of Django instead of one a step.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connections

from dougong_ci.report import signing
from dougong_registry.serve.home import Home, write_private

LOGIN = "local"
_TOKEN_DAYS = 366


def configure(settings: Mapping[str, str]) -> None:
    """Load the hub's settings as its processes will see them."""
    os.environ.update(settings, DJANGO_SETTINGS_MODULE="dougong_registry.settings")
    django.setup()
    # The supervisor asks its own hub once a second: that is no news.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def migrate() -> None:
    """Bring the database to the present schema; it is made if there is none."""
    call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Put the files of the site where the web server reads them, with hashed names."""
    # What comes with the frameworks and no page uses; compressing it would take seconds.
    unused = ["rest_framework", "ext"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=unused)


def register_runners(home: Home, *, count: int) -> None:
    """Give every worker a key of its own and let the hub know it; made on first use."""
    from dougong_registry.runs.services import runner_register

    for number in range(1, count + 1):
        path = home.runner_key(number)
        if not path.exists():
            write_private(path, signing.generate()[0])
        public = signing.public_of(path.read_text())
        # Named by its key: several homes may share one database.
        name = f"{LOGIN}-{signing.key_id(public)[:8]}"
        runner_register(name=name, public_key=public, official=True)


def token(home: Home) -> str:
    """Return a token that submits to this hub: the one kept in the folder while it is good."""
    from dougong_registry.people.services import token_authenticate, token_create
    from dougong_registry.problem import Problem

    try:
        kept = home.token.read_text().strip()
        token_authenticate(plain=kept, scope="submit")
    except (FileNotFoundError, Problem):
        kept = token_create(login=LOGIN, days=_TOKEN_DAYS)
        write_private(home.token, kept)
    return kept


def release_jobs(keys: Iterable[Path]) -> int:
    """Put the jobs of workers that are known to be dead back into the queue; return how many.

    Their leases would run out anyhow, a minute later. What such a worker may still have sent is
    refused, since a job goes out again under a new nonce.
    """
    from django.utils import timezone

    from dougong_registry.submissions.jobs import jobs_requeue_expired
    from dougong_registry.submissions.models import Job

    key_ids = [signing.key_id(signing.public_of(path.read_text())) for path in keys]
    lost = Job.objects.filter(state=Job.State.LEASED, runner_key_id__in=key_ids)
    count = lost.update(lease_expires_at=timezone.now())
    if count:
        jobs_requeue_expired()
    release_database()
    return count


def release_database() -> None:
    """Close this process's connections: the supervisor rarely has business with the database."""
    connections.close_all()
