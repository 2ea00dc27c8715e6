"""Model-to-model transforms (contracts `transform.*`): metadata only."""

from __future__ import annotations

import dougong

OPERATORS = [
    dougong.Operator(
        name="dougong/int8-dynamic",
        contract="transform.quantize@1",
        target="dougong_plugins.transform.int8_dynamic:int8_dynamic",
        reference="dougong_plugins.transform.int8_dynamic:int8_dynamic_reference",
        summary="Linear layers in int8: weights per channel, activations per token as they come.",
        dtypes=("float32", "bfloat16"),
        modes=("infer",),
        requires=("torchao>=0.13",),
        paper="arXiv:2208.07339",
        license="Apache-2.0",
        upstream="https://github.com/pytorch/ao",
    ),
    dougong.Operator(
        name="dougong/packed-linear",
        contract="transform.exact@1",
        target="dougong_plugins.transform.packed_linear:packed_linear",
        reference="dougong.contracts.transform.quantize:keep",
        summary="Linear layers with weights packed once, by oneDNN; the same results.",
        dtypes=("float32", "bfloat16"),
        modes=("infer",),
        compiles="breaks",
        paper="arXiv:1802.04799",
        license="Apache-2.0",
        upstream="https://github.com/uxlfoundation/oneDNN",
    ),
]


@dougong.hookimpl
def dougong_register_transform() -> list[dougong.Operator]:
    """Return the first-party transforms."""
    return OPERATORS
