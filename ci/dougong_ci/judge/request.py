"""What to judge and how thoroughly."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

SEED_BITS = 52
"""Seeds stay exact in JSON readers that hold every number as a double."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """How much is measured. Times are limits in seconds unless named otherwise."""

    name: str
    looks: tuple[int, ...]
    """Restarts (fresh processes of each party, the independent unit of the speed score) after which
    is decided; operators about which nothing can be told yet go on to the next look."""
    rounds: int
    """Interleaved rounds of one workload in one restart."""
    block_us: float = 2000.0
    """Least length of one timed block, set from the baseline."""
    workload_s: float = 0.1
    """Time of one workload in one restart, from which the rounds are cut back."""
    warmup_rounds: int = 4
    """Run before the first that counts, in the same random order."""
    every_dtype: bool = False
    """Time every dtype the operator has; otherwise float32, or the first."""
    every_mode: bool = False
    """Time forward with backward, and under torch.compile, besides the forward call."""
    start_s: float = 60.0
    prepare_s: float = 90.0
    """Import, build and first call, where a JIT compiles."""
    call_s: float = 20.0
    board: bool = True
    """Whether verdicts of this profile may feed a board."""


PROFILES = {
    "accuracy": Profile(name="accuracy", looks=(), rounds=0, board=False),
    "quick": Profile(name="quick", looks=(2,), rounds=5, board=False),
    "first": Profile(name="first", looks=(7,), rounds=7, block_us=1000.0, warmup_rounds=3),
    "standard": Profile(name="standard", looks=(7, 13), rounds=10),
    "full": Profile(
        name="full",
        looks=(7, 13, 20, 32),
        rounds=30,
        workload_s=0.5,
        every_dtype=True,
        every_mode=True,
    ),
}
"""`accuracy` measures no speed, and so passes nothing; `first` is what a hub runs at once; what
that leaves undecided comes back as `standard`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """One judgement: a distribution, or some of what is installed.

    Give exactly one of `path` and `installed`.
    """

    path: Path | None = None
    """A wheel, or a folder holding an unpacked wheel (packages beside their `.dist-info`)."""
    installed: tuple[str, ...] = ()
    """Names of installed operators, plugins or distributions."""
    operators: tuple[str, ...] = ()
    """Judge only these of what was found; empty means all."""
    without: tuple[str, ...] = ()
    """Leave these operators out."""
    contracts: tuple[str, ...] = ()
    """Judge only operators of these contracts; empty means all."""
    profile: Profile = PROFILES["standard"]
    seed: int | None = None
    """None draws a secret one; it is revealed in the verdict."""
    device: str = "cpu"
    """`torch.device` type to judge on: `cpu` or `cuda`."""
    distribution: str = ""
    """Expected distribution name; another one found inside is refused."""
    version: str = ""
    """Expected version."""
    repeat: str = ""
    """Command that repeats this judgement, for the verdict."""

    def __post_init__(self) -> None:
        """Hold the one rule of the fields."""
        if (self.path is None) == (not self.installed):
            raise ValueError("judge either a path or installed names, exactly one of them")


def draw_seed() -> int:
    """Draw a secret seed from the operating system."""
    return secrets.randbits(SEED_BITS)
