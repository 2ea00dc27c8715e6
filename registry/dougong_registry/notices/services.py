"""Opening, acknowledging and closing notices."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.notices.models import Notice
from dougong_registry.people.models import Identity
from dougong_registry.problem import Conflict, Forbidden, Missing
from dougong_registry.runs.comparing import Board, differences
from dougong_registry.runs.found import found
from dougong_registry.runs.models import CONCLUSIVE, Run

WHOLE: Board = ("", "")


def notices_update(*, run: Run, superseded: Sequence[Run]) -> None:
    """Close what a run mends and open what it makes worse, against the runs it took the place of.

    Runs in the transaction that records the run, so there is a notice of it or no run.
    """
    if run.outcome not in CONCLUSIVE or not run.official or run.superseded_at or run.held_reason:
        return
    failing = _close_mended(run)
    for before in [*(each for each in superseded if each.outcome == "passed"), *failing]:
        worse = [each for each in differences(found(before), found(run)) if each.worse]
        for board in dict.fromkeys(each.board for each in worse):
            words = "; ".join(each.words for each in worse if each.board == board)
            _open(before, run, board, words)


@transaction.atomic
def notice_acknowledge(*, actor: Identity, notice_id: int) -> Notice:
    """Say that the owner has seen a notice. Said again, it was said once.

    Raises:
        Missing: there is no such notice.
        Forbidden: the plugin belongs to someone else.
        Conflict: it is closed.
    """
    notice = (
        Notice.objects.select_for_update(of=("self",))
        .select_related("plugin", "operator_name")
        .filter(pk=notice_id)
        .first()
    )
    if notice is None:
        raise Missing(f"no notice {notice_id}; /api/v1/notices lists them")
    if notice.plugin.owner_id != actor.pk:
        raise Forbidden(f"{notice.plugin.name} belongs to another submitter; ask them to look")
    if notice.state == "closed":
        raise Conflict(f"notice {notice_id} is closed: a later run is as good as before")
    if notice.state == "open":
        notice.state = "acknowledged"
        notice.acknowledged_at, notice.acknowledged_by = timezone.now(), actor
        notice.save(update_fields=["state", "acknowledged_at", "acknowledged_by"])
        _note(notice, "acknowledged", actor_of(actor))
    return notice


def _open(before: Run, run: Run, board: Board, words: str) -> None:
    name = run.operator.claimed_name
    key = {
        "operator_name": name,
        "suite": run.suite,
        "device": run.device,
        "hardware_class": run.hardware_class,
        "dtype": board[0],
        "mode": board[1],
    }
    # One that is open names the better run of old; what is worse than it is no second notice.
    notice, new = Notice.objects.get_or_create(
        **key,
        closed_at=None,
        defaults={
            "plugin_id": name.plugin_id,
            "from_run": before,
            "to_run": run,
            "words": words[:512],
        },
    )
    if new:
        _note(notice, "opened", HUB)


def _close_mended(run: Run) -> list[Run]:
    """Close notices; return what the run is held against where it passes again after failing."""
    failing = []
    open_ones = Notice.objects.select_for_update(of=("self",)).filter(
        operator_name=run.operator.claimed_name_id,
        suite=run.suite,
        device=run.device,
        hardware_class=run.hardware_class,
        closed_at__isnull=True,
    )
    now = found(run)
    for notice in open_ones.select_related("from_run", "operator_name").order_by("pk"):
        board = (notice.dtype, notice.mode)
        was = found(notice.from_run)
        worse = {each.board for each in differences(was, now) if each.worse}
        measured = board == WHOLE or board in now.boards
        if WHOLE in worse or board in worse or not measured:
            continue
        notice.state, notice.closed_at, notice.closing_run = "closed", timezone.now(), run
        notice.save(update_fields=["state", "closed_at", "closing_run"])
        _note(notice, "closed", HUB)
        if board == WHOLE:
            failing.append(notice.from_run)
    return failing


def _note(notice: Notice, what: str, actor: str) -> None:
    record(
        actor=actor,
        verb=f"notice.{what}",
        target=f"notice:{notice.pk}",
        operator=notice.operator_name.name,
        hardware_class=notice.hardware_class,
        suite=notice.suite,
        dtype=notice.dtype,
        mode=notice.mode,
        words=notice.words,
    )
