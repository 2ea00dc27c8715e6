"""The judge: trusted; it holds contract, reference, expected values, seed and clock."""

from __future__ import annotations

from dougong_ci.judge.request import PROFILES, JudgeRequest, Profile
from dougong_ci.judge.session import judge
from dougong_ci.judge.source import SubmissionError

__all__ = ["PROFILES", "JudgeRequest", "Profile", "SubmissionError", "judge"]
