"""What a stage decides: where its head goes, what the steps say, and what must happen with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dougong_registry.forge.models import Head


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One step as it will be written."""

    name: str
    outcome: str
    title: str
    summary: str = ""
    annotations: Sequence[dict[str, Any]] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A decision; nothing of it stands until its transaction does."""

    state: str
    """Where the head goes; its own state is to wait there."""
    reason: str = ""
    say: Sequence[Say] = ()
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    also: Callable[[Head], None] | None = None
    """What is done in the same transaction."""


def wait(head: Head, *say: Say) -> Move:
    """Stay, and come back later."""
    return Move(state=head.state, say=say)
