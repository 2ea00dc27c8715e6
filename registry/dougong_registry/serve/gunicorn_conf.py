"""Gunicorn's settings: `gunicorn -c python:dougong_registry.serve.gunicorn_conf -b host:port`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dougong_registry.serve.tether import tether_self

wsgi_app = "dougong_registry.wsgi:application"
worker_class = "dougong_registry.serve.connections.PatientWorker"
# Two processes so that recomputing a score from raw samples never holds up a page.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
# Seconds that a connection may say nothing, new or between two requests.
keepalive = 5
# One import of the site for all processes; each opens its own database connection on first use.
preload_app = True
timeout = 60
graceful_timeout = 3
# The heartbeat file on a disk can stall for seconds; memory cannot.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn uses mkstemp
# Several hubs of one user would fight over its one default path.
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "info"
proc_name = "dougong-web"
# Each process counts in a file of its own, and /metrics adds them up. Read when the site is loaded.
_counters = tempfile.mkdtemp(prefix="dougong-metrics-", dir=worker_tmp_dir)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counters


def on_exit(_server: Any) -> None:
    """Take the counters along."""
    shutil.rmtree(_counters, ignore_errors=True)


def post_fork(_server: Any, worker: Any) -> None:
    """Bind each web process to its master, so that a SIGKILL of the master leaves none behind."""
    tether_self(worker.ppid)
