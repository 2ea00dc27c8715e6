"""Attentions for the quality gate: one honest, the others not. Metadata only, as in any plugin."""

from __future__ import annotations

import dougong

LOCAL = ("mask:none", "mask:causal", "mask:boolean", "structure:local")
FEATURES = {"window": LOCAL, "declared-mean": LOCAL[:3]}
TARGETS = {"window": "last_keys", "declared-mean": "mean"}
NAMES = (
    "honest",
    "short-only",
    "last-keys",
    "window",
    "mean",
    "declared-mean",
    "loud-keys",
    "crashing",
)

OPERATORS = [
    dougong.Operator(
        name=f"liar/{name}",
        contract="attention.approx@1",
        target=f"liars_code:{TARGETS.get(name, name.replace('-', '_'))}",
        dtypes=("float32",),
        features=FEATURES.get(name, ()),
        gradients="first",
    )
    for name in NAMES
]


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    return OPERATORS
