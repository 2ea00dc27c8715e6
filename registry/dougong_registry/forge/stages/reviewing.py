"""REVIEW: people decide, by the quorum of the level; then the merge, which only the forge makes."""

from __future__ import annotations

from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import Head
from dougong_registry.forge.reviews import level_of, quorum
from dougong_registry.forge.stages.move import Move, Say, wait


def reviewing(config: Config, forge: Forge, head: Head) -> Move:
    """Wait for approvals of this very commit and for the merge, in either order."""
    found, level = quorum(head), level_of(head)
    if not found.met:
        title = f"{level}: still needed: {'; '.join(found.missing)}"
        return wait(head, Say(name="review", outcome="running", title=title))
    title = f"{level}: approved by {len(found.approvers)} of {found.needed} needed"
    approved = Say(name="review", outcome="passed", title=title)
    if head.pull.state != "merged":
        return wait(head, approved)
    publish = Say(name="publish", outcome="running", title="Building again from what was merged")
    return Move(state="publishing", say=[approved, publish])
