"""The front page."""

from __future__ import annotations

from dougong_registry.boards.rows import Counts, Home
from dougong_registry.boards.selectors.operators import newest_records, operator_rows
from dougong_registry.boards.selectors.standings import boards_list
from dougong_registry.boards.selectors.submissions import submissions_recent
from dougong_registry.plugins.models import OperatorName, Plugin
from dougong_registry.runs.models import Run, Runner
from dougong_registry.submissions.models import Submission


def home(*, newest: int = 8, fastest: int = 8, queue: int = 8) -> Home:
    """Return counts, the newest operators, the widest leads and the queue."""
    boards = sorted(boards_list(), key=lambda board: -board.leader_ci_low)
    return Home(
        counts=Counts(
            operators=OperatorName.objects.count(),
            plugins=Plugin.objects.count(),
            runs=Run.objects.count(),
            runners=Runner.objects.filter(revoked_at__isnull=True).count(),
            waiting=Submission.objects.filter(state__in=["queued", "judging"]).count(),
        ),
        newest=operator_rows(newest_records().order_by("-created_at", "name")[:newest]),
        fastest=tuple(boards[:fastest]),
        queue=submissions_recent(queue),
    )
