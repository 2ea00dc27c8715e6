"""Telling the forge: each check run and the comment made once, changed when they differ."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from dougong_registry.forge.checks.bodies import (
    BATCH,
    check_body,
    check_name,
    external_id,
    output_of,
)
from dougong_registry.forge.checks.comment import MARKER, comment_body
from dougong_registry.forge.client import Forge
from dougong_registry.forge.models import Event, Head, Pull, Step
from dougong_registry.forge.reviews import APPROVED, DISMISSED


def report(forge: Forge, head_id: int) -> None:
    """Bring what the forge shows of a head up to date.

    What was sent is known by its hash. A check run or comment whose id was lost in a crash is found
    again by what it carries of ours, so that it is never made twice.
    """
    head = Head.objects.select_related("pull", "submission").get(pk=head_id)
    if head.state != "ignored":
        _report(forge, head)
    Head.objects.filter(pk=head_id).update(told=head.changes)


def _report(forge: Forge, head: Head) -> None:
    for step in head.steps.filter(round=head.round).order_by("pk"):
        _check(forge, head, step)
    if head.state == "superseded":
        _dismiss(forge, head)
        return
    _comment(forge, head)


def _check(forge: Forge, head: Head, step: Step) -> None:
    rows = step.annotations
    whole = check_body(head, step, rows)
    digest = _digest(whole)
    if digest == step.sent_sha256:
        return
    if step.check_run_id is None:
        step.check_run_id = _found(forge, head, step)
    if step.check_run_id is None:
        body = {**check_body(head, step, rows[:BATCH]), "head_sha": head.sha}
        made = forge.check_create(body)
        step.check_run_id, there = int(made["id"]), min(len(rows), BATCH)
        Step.objects.filter(pk=step.pk).update(check_run_id=step.check_run_id)
    else:
        made = forge.check_update(step.check_run_id, check_body(head, step, []))
        there = int(made["output"]["annotations_count"])
    while there < len(rows):
        batch = rows[there : there + BATCH]
        forge.check_update(step.check_run_id, {"output": output_of(step, batch)})
        there += len(batch)
    Step.objects.filter(pk=step.pk).update(sent_sha256=digest)


def _found(forge: Forge, head: Head, step: Step) -> int | None:
    for row in forge.check_runs(head.sha):
        if row["name"] == check_name(step) and row["external_id"] == external_id(step):
            return int(row["id"])
    return None


def _comment(forge: Forge, head: Head) -> None:
    pull = head.pull
    newest = Head.objects.filter(pull=pull).exclude(state__in=("superseded", "ignored"))
    if newest.order_by("-pk").values_list("pk", flat=True).first() != head.pk:
        return
    body = comment_body(head)
    digest = _digest(body)
    if digest == pull.comment_sha256:
        return
    comment_id = pull.comment_id or forge.own_comment(pull.number, MARKER)
    if comment_id is None:
        comment_id = forge.comment_create(pull.number, body)
    else:
        forge.comment_update(comment_id, body)
    Pull.objects.filter(pk=pull.pk).update(comment_id=comment_id, comment_sha256=digest)


def _dismiss(forge: Forge, head: Head) -> None:
    """Take back on the forge what the hub took back: approvals of a commit that gave way."""
    gone = Event.objects.filter(
        head=head, kind=DISMISSED, detail__because="superseded"
    ).values_list("actor_id", flat=True)
    if not gone:
        return
    for review in forge.reviews(head.pull.number):
        if review.state == APPROVED and review.sha == head.sha and review.reviewer_id in set(gone):
            forge.review_dismiss(
                head.pull.number, review.id, "The approved commit gave way to a newer one."
            )


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
