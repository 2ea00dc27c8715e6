"""Levels and roles as a pure function of recorded evidence: standard library only."""

from __future__ import annotations

from dougong_registry.contributions.policy.decision import Decision, Missing
from dougong_registry.contributions.policy.events import Event
from dougong_registry.contributions.policy.levels import (
    ChangeFacts,
    Suggestion,
    is_data_only,
    suggest_level,
)
from dougong_registry.contributions.policy.loading import (
    policy_in_force,
    policy_load,
    policy_versions,
)
from dougong_registry.contributions.policy.roles import decide
from dougong_registry.contributions.policy.rules import MONTH, Policy

__all__ = [
    "MONTH",
    "ChangeFacts",
    "Decision",
    "Event",
    "Missing",
    "Policy",
    "Suggestion",
    "decide",
    "is_data_only",
    "policy_in_force",
    "policy_load",
    "policy_versions",
    "suggest_level",
]
