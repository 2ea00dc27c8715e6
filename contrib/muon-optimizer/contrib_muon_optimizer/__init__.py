"""Muon by its author, muon-optimizer.

Metadata only: nothing here imports torch, or muon-optimizer.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/muon-optimizer",
            contract="optimizer.step@1",
            target="contrib_muon_optimizer.matrices:AuthorsMuon",
            summary="Muon by its author: Newton-Schulz in bfloat16.",
            variant="muon",
            modes=("train",),
            compiles="none",
            requires=("muon-optimizer>=0.1,<0.2",),
            paper="https://kellerjordan.github.io/posts/muon/",
            license="Apache-2.0",
            upstream="https://github.com/KellerJordan/Muon",
        ),
    ]
