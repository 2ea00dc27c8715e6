"""Normalisations (contracts `norm.layer@1`, `norm.rms@1`, `norm.group@1`): metadata only."""

from __future__ import annotations

import dougong

_LICENSE = "Apache-2.0"
_LAYER = "arXiv:1607.06450"
_RMS = "arXiv:1910.07467"
_GROUP = "arXiv:1803.08494"

OPERATORS = [
    dougong.Operator(
        name="dougong/layer-torch",
        contract="norm.layer@1",
        target="dougong_plugins.norm.layer:layer_norm_torch",
        reference="dougong_plugins.norm.layer:layer_norm",
        summary="LayerNorm by torch's own kernel.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="second",
        paper=_LAYER,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/rms-torch",
        contract="norm.rms@1",
        target="dougong_plugins.norm.rms:rms_norm_torch",
        reference="dougong_plugins.norm.rms:rms_norm",
        summary="RMSNorm by torch's own function.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="second",
        paper=_RMS,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/group-torch",
        contract="norm.group@1",
        target="dougong_plugins.norm.group:group_norm_torch",
        reference="dougong_plugins.norm.group:group_norm",
        summary="GroupNorm by torch's own kernel.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="second",
        paper=_GROUP,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/rms-triton",
        contract="norm.rms@1",
        target="dougong_plugins.triton.rows:rms_norm",
        reference="dougong_plugins.norm.rms:rms_norm",
        summary="RMSNorm in Triton, a program a row.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_RMS,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/layer-triton",
        contract="norm.layer@1",
        target="dougong_plugins.triton.rows:layer_norm",
        reference="dougong_plugins.norm.layer:layer_norm",
        summary="LayerNorm in Triton, a program a row.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_LAYER,
        license=_LICENSE,
    ),
]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Return the first-party normalisations."""
    return OPERATORS
