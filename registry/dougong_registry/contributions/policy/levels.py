"""What level a change looks like: by what it touches and what was proved of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from dougong_registry.contributions.policy.rules import Claim, Level, Policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFacts:
    """What is known of a change; nothing of it is the author's word."""

    touches: frozenset[str] = frozenset()
    """`operator` where a new one comes, `contract`, `family`, `hook`."""
    holds: frozenset[str] = frozenset()
    """What was checked and holds: `checks`, `verdict`, `design_record`, `ablation`, ..."""
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """By metric of the policy's claims, against the release before."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A level for a reviewer to confirm, raise or lower."""

    level: str
    reasons: tuple[str, ...]


def suggest_level(policy: Policy, facts: ChangeFacts) -> Suggestion:
    """Suggest the highest level that a change reaches and whose checks hold; else the lowest."""
    reasons: list[str] = []
    for level in reversed(policy.levels[1:]):
        why = _reached(level, facts)
        if not why:
            continue
        if lacking := [check for check in level.must if check not in facts.holds]:
            reasons.append(f"not {level.name}, though {why}: no {', '.join(lacking)}")
            continue
        return Suggestion(level=level.name, reasons=(f"{level.name}: {why}", *reasons))
    lowest = policy.levels[0]
    why = "nothing in it is new or proved better"
    reasons.insert(0, f"{lowest.name}: {lowest.means}" if reasons else f"{lowest.name}: {why}")
    if lacking := [check for check in lowest.must if check not in facts.holds]:
        reasons.append(f"before it may come in: {', '.join(lacking)}")
    return Suggestion(level=lowest.name, reasons=tuple(reasons))


def is_data_only(policy: Policy, paths: Iterable[str]) -> bool:
    """Say whether a change touches nothing but policy, which grants nothing to its author."""
    touched = list(paths)
    return bool(touched) and all(
        any(fnmatchcase(path, pattern) for pattern in policy.data_only_paths) for path in touched
    )


def _reached(level: Level, facts: ChangeFacts) -> str:
    if new := sorted(facts.touches & set(level.touches)):
        return f"it brings a new {', a new '.join(new)}"
    proved = [
        f"{claim.means}, {facts.measured[claim.metric]:.3g} {claim.op} {claim.value:g}"
        for claim in level.claims
        if claim.metric in facts.measured and _holds(claim, facts.measured[claim.metric])
    ]
    return "; ".join(proved)


def _holds(claim: Claim, value: float) -> bool:
    return value >= claim.value if claim.op == ">=" else value <= claim.value
