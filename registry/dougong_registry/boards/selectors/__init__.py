"""Everything a page or the API can read, as typed rows of `dougong_registry.boards.rows`."""

from __future__ import annotations

from dougong_registry.boards.selectors.home import home
from dougong_registry.boards.selectors.operators import operator_detail, operator_page
from dougong_registry.boards.selectors.runs import run_detail
from dougong_registry.boards.selectors.standings import board, board_stamp, boards_list
from dougong_registry.boards.selectors.submissions import (
    submission_detail,
    submission_events,
    submission_state,
    submissions_recent,
)
from dougong_registry.boards.selectors.training import courses, courses_list

__all__ = [
    "board",
    "board_stamp",
    "boards_list",
    "courses",
    "courses_list",
    "home",
    "operator_detail",
    "operator_page",
    "run_detail",
    "submission_detail",
    "submission_events",
    "submission_state",
    "submissions_recent",
]
