"""Proposing, approving and executing; each with its entry in the audit log."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from dougong_registry.audit.services import actor_of, record
from dougong_registry.boards.refresh import refresh
from dougong_registry.columns import hold_to_columns
from dougong_registry.moderation.models import PROTECTIVE, TRUSTING, Action
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused
from dougong_registry.runs.models import Run, Runner


@transaction.atomic
def action_propose(*, kind: str, target: str, reason: str, proposer: Identity) -> Action:
    """Propose an action. One that protects is executed at once; the others wait for approval.

    Raises:
        Refused: no such kind, or no reason.
        Missing: no such target.
        Conflict: the target is not in the state that the action ends, or it is proposed already.
    """
    if kind not in PROTECTIVE + TRUSTING:
        raise Refused(f"kind must be one of {', '.join(PROTECTIVE + TRUSTING)}, got {kind!r}")
    if not reason.strip():
        raise Refused(f"{kind} needs a reason: it is shown to whoever asks why")
    open_one = Action.objects.filter(kind=kind, target=target, executed_at__isnull=True).first()
    if open_one is not None:
        raise Conflict(f"{kind} of {target} waits already, as action {open_one.pk}; approve it")
    action = Action(kind=kind, target=target, reason=reason.strip(), proposer=proposer)
    hold_to_columns(action)
    _require(action)
    if kind in PROTECTIVE:
        return _execute(action, by=proposer)
    action.save(force_insert=True)
    _note(action, "proposed", proposer)
    return action


@transaction.atomic
def action_approve(*, action_id: int, approver: Identity) -> Action:
    """Approve what somebody else proposed, and execute it in the same transaction.

    Raises:
        Missing: no such action, or its target is gone.
        Forbidden: the approver proposed it.
        Conflict: it was executed before, or its target changed since.
    """
    action = Action.objects.select_for_update().filter(pk=action_id).first()
    if action is None:
        raise Missing(f"no action {action_id}; see `dougong-hub moderation list`")
    if action.executed_at is not None:
        raise Conflict(f"action {action_id} was executed at {action.executed_at.isoformat()}")
    if action.proposer_id == approver.pk:
        raise Forbidden(f"{approver.login} proposed action {action_id}; another person approves it")
    _require(action)
    action.approver = approver
    return _execute(action, by=approver)


def _require(action: Action) -> None:
    """Hold the target to the state that the action ends."""
    found, state = _state(action)
    if not found:
        raise Missing(f"{action.kind}: there is no {action.target!r}")
    if not state:
        raise Conflict(f"{action.kind} changes nothing of {action.target}")


def _state(action: Action) -> tuple[bool, bool]:
    """Return whether the target is there, and whether the action would change it."""
    if action.kind.startswith("plugin."):
        status = Plugin.objects.filter(canonical=action.target).values_list("status", flat=True)
        quarantined = "quarantined" in status
        return bool(status), quarantined == (action.kind == "plugin.lift")
    if action.kind == "runner.revoke":
        runner = Runner.objects.filter(name=action.target).first()
        return runner is not None, runner is not None and runner.revoked_at is None
    held = Run.objects.filter(verdict_id=action.target).values_list("held_reason", flat=True)
    return bool(held), any(held) == (action.kind == "run.release")


def _execute(action: Action, *, by: Identity) -> Action:
    action.executed_at = timezone.now()
    action.save()
    target, reason = action.target, action.reason
    if action.kind == "plugin.quarantine":
        plugins = Plugin.objects.filter(canonical=target)
        plugins.update(status="quarantined", status_reason=reason)
    elif action.kind == "plugin.lift":
        Plugin.objects.filter(canonical=target).update(status="active", status_reason="")
    elif action.kind == "runner.revoke":
        Runner.objects.filter(name=target).update(revoked_at=action.executed_at)
    else:
        held_reason = reason if action.kind == "run.hold" else ""
        run = Run.objects.select_related("operator").defer("payload").get(verdict_id=target)
        Run.objects.filter(pk=run.pk).update(held_reason=held_reason)
        refresh(run.operator.claimed_name_id)
    _note(action, "executed", by)
    return action


def _note(action: Action, what: str, actor: Identity) -> None:
    record(
        actor=actor_of(actor),
        verb=f"{action.kind}.{what}",
        target=action.target,
        action=action.pk,
        reason=action.reason,
        proposer=actor_of(action.proposer),
    )
