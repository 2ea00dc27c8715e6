"""The worker: takes jobs from the hub's queue and posts signed verdicts; it has no database."""

from __future__ import annotations

from dougong_ci.worker.tasks import app

__all__ = ["app"]
