from __future__ import annotations

import io

from rich.console import Console

from dougong_ci.quality.show import tables
from dougong_ci.report.verdict import ParetoPoint, QualityRow


def shown(rows, points) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(tables(rows, points))
    return console.file.getvalue()


def test_every_task_its_share_and_every_length_fit_on_eighty_columns():
    row = QualityRow(
        task="recall",
        params={"length": 1024, "pairs": 64},
        metric="accuracy",
        exact=1.0,
        candidate=0.62,
        retained=0.62,
        floor=0.75,
        passed=False,
        reason="recall at 1024 tokens must retain 0.75 of exact attention's, got 0.62",
    )
    point = ParetoPoint(
        length=4096, retained=0.62, speedup=3.5, baseline_us=21_000.0, candidate_us=6_000.0
    )
    text = shown([row], [point])
    for words in ("recall  pairs 64", "1024", "62%", "must retain 0.75", "3.50x", "21,000"):
        assert words in text
    assert "…" not in text


def test_nothing_is_shown_of_an_exact_operator():
    assert shown([], []).strip() == ""
