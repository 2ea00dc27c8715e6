"""From a step to what the forge shows of it: a check run, and its annotations in batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from dougong_registry.forge.models import Head, Step

BATCH = 50
"""The forge takes so many annotations a request, and adds them to those it has."""
MAX_MESSAGE = 4_000
CONCLUSIONS = {
    "passed": "success",
    "failed": "failure",
    "blocked": "action_required",
    "errored": "failure",
    "cancelled": "cancelled",
}


def check_name(step: Step) -> str:
    """Return the name of the check run, which a branch rule may require."""
    return f"dougong / {step.name}"


def external_id(step: Step) -> str:
    """Return what the forge keeps for us, so that a check run is found again after a crash."""
    return f"{step.head_id}:{step.round}:{step.name}"


def check_body(head: Head, step: Step, annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the body that makes a check run, or makes it say something else."""
    body: dict[str, Any] = {
        "name": check_name(step),
        "external_id": external_id(step),
        "started_at": _text(step.started_at),
        "output": output_of(step, annotations),
    }
    if head.submission_id:
        body["details_url"] = f"{settings.DOUGONG_HUB_URL}/submissions/{head.submission_id}/"
    if step.outcome == "running":
        return {**body, "status": "in_progress"}
    return {
        **body,
        "status": "completed",
        "conclusion": CONCLUSIONS[step.outcome],
        "completed_at": _text(step.finished_at or step.started_at),
    }


def output_of(step: Step, annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the text of a check run, with some of its annotations."""
    return {
        "title": step.title,
        "summary": step.summary or step.title,
        "annotations": [
            {
                "path": each["path"],
                "start_line": each["line"],
                "end_line": each["line"],
                "annotation_level": "failure",
                "title": each["title"],
                "message": each["message"][:MAX_MESSAGE],
            }
            for each in annotations
        ],
    }


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
