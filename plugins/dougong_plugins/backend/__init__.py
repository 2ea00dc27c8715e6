"""Execution backends (contract `backend.inference@2`): metadata only."""

from __future__ import annotations

import dougong

_LICENSE = "Apache-2.0"

OPERATORS = [
    dougong.Operator(
        name="dougong/eager",
        contract="backend.inference@2",
        target="dougong_plugins.backend.eager:eager",
        reference="dougong_plugins.backend.eager:eager",
        summary="The model as it is, in evaluation mode and without autograd.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        modes=("infer",),
        compiles="fullgraph",
        paper="arXiv:1912.01703",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/inductor",
        contract="backend.inference@2",
        target="dougong_plugins.backend.inductor:inductor",
        reference="dougong_plugins.backend.eager:eager",
        summary="The model compiled by torch's inductor before the first call.",
        dtypes=("float64", "float32", "bfloat16"),
        modes=("infer",),
        compiles="none",
        requires=("torch>=2.13",),
        needs=("c++-compiler",),
        paper="doi:10.1145/3620665.3640366",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/cuda",
        contract="backend.inference@2",
        target="dougong_plugins.backend.devices:cuda",
        reference="dougong_plugins.backend.eager:eager",
        summary="The model compiled by torch's inductor for an NVIDIA GPU.",
        devices=("cuda",),
        dtypes=("float64", "float32", "bfloat16", "float16"),
        modes=("infer",),
        compiles="none",
        requires=("torch>=2.13",),
        needs=("cuda>=7.0",),
        paper="doi:10.1145/3620665.3640366",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/rocm",
        contract="backend.inference@2",
        target="dougong_plugins.backend.devices:rocm",
        reference="dougong_plugins.backend.eager:eager",
        summary="The model compiled by torch's inductor for an AMD GPU.",
        devices=("cuda",),
        dtypes=("float64", "float32", "bfloat16", "float16"),
        modes=("infer",),
        compiles="none",
        requires=("torch>=2.13",),
        needs=("rocm",),
        paper="doi:10.1145/3620665.3640366",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/ascend",
        contract="backend.inference@2",
        target="dougong_plugins.backend.devices:ascend",
        reference="dougong_plugins.backend.eager:eager",
        summary="The model on an Ascend NPU by the kernels of torch_npu.",
        devices=("npu",),
        dtypes=("float32", "bfloat16", "float16"),
        modes=("infer",),
        compiles="none",
        requires=("torch-npu>=2.13",),
        paper="doi:10.1109/HPCA51647.2021.00071",
        license=_LICENSE,
    ),
]


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    """Return the first-party backends."""
    return OPERATORS
