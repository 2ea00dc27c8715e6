"""The front page."""

from __future__ import annotations

from dougong_registry.boards.rows import Counts, Home
from dougong_registry.boards.selectors.standings import boards_led
from dougong_registry.boards.selectors.submissions import submissions_recent
from dougong_registry.plugins.models import OperatorName, Plugin
from dougong_registry.runs.models import Run, Runner
from dougong_registry.search import selectors as search
from dougong_registry.submissions.models import Submission


def home(*, newest: int = 8, fastest: int = 8, queue: int = 8) -> Home:
    """Return counts, the newest operators, the widest leads and the queue."""
    return Home(
        counts=Counts(
            operators=OperatorName.objects.count(),
            plugins=Plugin.objects.count(),
            runs=Run.objects.count(),
            runners=Runner.objects.filter(revoked_at__isnull=True).count(),
            waiting=Submission.objects.filter(state__in=["queued", "judging"]).count(),
        ),
        newest=search.newest(newest),
        fastest=boards_led(fastest),
        queue=submissions_recent(queue),
    )
