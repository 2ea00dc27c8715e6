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
    Row(
        "alice",
        "Alice",
        0.03,
        "arXiv:2502.07752",
        # As many leading vectors as the rank: the rest is drawn, and hangs on the order of draws.
        settings={"rank": 8, "leading_basis": 8, "update_interval": 50},
    ),
    Row("avagrad", "AvaGrad", 0.6, "arXiv:1912.01823"),
    Row("cautious-lion", "Lion", 0.003, "arXiv:2411.16085", settings={"cautious": True}),
    Row("dash", "DASH", 0.01, "arXiv:2602.02016"),
    Row("galore", "GaLore", 0.03, "arXiv:2403.03507", kind="rank"),
    Row("lamb", "Lamb", 0.01, "arXiv:1904.00962"),
    Row("lars", "LARS", 0.3, "arXiv:1708.03888", settings={"trust_coefficient": 0.02}),
    Row(
        "lookahead-adamw",
        "Lookahead",
        0.03,
        "arXiv:1907.08610",
        kind="around",
        lacks=("schedule", "groups"),
    ),
    Row("orthograd-adamw", "OrthoGrad", 0.01, "arXiv:2501.04697", kind="around"),
    Row("pid", "PID", 0.02, "doi:10.1109/CVPR.2018.00889", settings={"momentum": 0.9}),
    Row("scion-light", "SCIONLight", 0.03, "arXiv:2502.07529"),
    Row("sgdp", "SGDP", 0.15, "arXiv:2006.08217", settings={"momentum": 0.9}, kind="contiguous"),
    Row("tam", "TAM", 0.1, "arXiv:2412.18790"),
)
