"""The algorithms of this distribution, a row each: all that tells one from another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """One algorithm of upstream."""

    algorithm: str
    """Its own name, whoever implements it."""
    upstream: str
    """Name of the class."""
    lr: float
    """The rate declared: the best of a small grid on public seeds of the judge's lessons."""
    paper: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What is not upstream's default."""
    kind: str = ""
    """How groups are made, where not plainly; see `made`."""
    lacks: tuple[str, ...] = ()
    """Features of the contract that it does not keep, as measured."""

    @property
    def name(self) -> str:
        """Return the name of its factory."""
        return self.algorithm.replace("-", "_")


FEATURES = ("resume", "schedule", "groups")
ROWS = (
    Row("adam-atan2", "AdamAtan2", 0.01, "arXiv:2407.05872"),
    Row("adopt-atan2", "AdoptAtan2", 0.01, "arXiv:2411.02853"),
    Row(
        "cautious-adam-atan2",
        "AdamAtan2",
        0.01,
        "arXiv:2411.16085",
        settings={"cautious_factor": 0.0},
    ),
)
