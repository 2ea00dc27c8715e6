from __future__ import annotations

from dougong_registry.boards.rows import ScoreRow
from dougong_registry.web.decisions import decided


def score(dtype: str, mode: str, decision: str, restarts: int = 7) -> ScoreRow:
    return ScoreRow(
        dtype=dtype,
        mode=mode,
        speedup=1.0,
        ci_low=1.0,
        ci_high=1.0,
        decision=decision,
        coverage=1.0,
        restarts=restarts,
        relative_l2=None,
        error_share=None,
    )


def test_what_was_decided_alike_is_said_once_and_names_where():
    scores = [
        score("bfloat16", "infer", "faster"),
        score("float32", "infer", "not_faster"),
        score("float32", "train", "faster"),
        score("float32", "compiled", "faster", restarts=13),
    ]
    assert [(each.decision, each.restarts, where) for each, where in decided(scores)] == [
        ("faster", 7, "bfloat16 · infer, float32 · train"),
        ("not_faster", 7, "float32 · infer"),
        ("faster", 13, "float32 · compiled"),
    ]
