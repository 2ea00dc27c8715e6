"""Candidates for the judge: some honest, most not. Metadata only, as in any plugin."""

from __future__ import annotations

import dougong

GRADIENTS = {"wrong-gradient", "honest"}
FULL = {"honest": ("float32", "bfloat16")}
FUNCTIONS = (
    "honest",
    "plain",
    "alias",
    "double-width",
    "sleeping",
    "aborting",
    "segfaulting",
    "exiting",
    "hanging",
    "spamming",
    "nondeterministic",
    "wrong-gradient",
)


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    named = [(name, f"candidates_code:{name.replace('-', '_')}") for name in FUNCTIONS]
    return [
        dougong.Operator(
            name=f"trial/{name}",
            contract="norm.rms@1",
            target=target,
            dtypes=FULL.get(name, ("float32",)),
            gradients="first" if name in GRADIENTS else "none",
            claims=("speedup >= 50 over torch on cpu", "error <= 0.001 ulp", "tastes good"),
        )
        for name, target in [*named, ("raising", "candidates_raising:rms")]
    ]
