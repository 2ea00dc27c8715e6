"""Triton kernels of liger-kernel.

Metadata only: nothing here imports torch, or liger-kernel.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Register the activation operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/liger-swiglu",
            contract="activation.swiglu@1",
            target="contrib_liger_kernel.kernels:swiglu",
            summary="SwiGLU gate by liger-kernel's Triton kernels.",
            devices=("cuda",),
            dtypes=("float32", "bfloat16"),
            gradients="first",
            compiles="none",
            requires=("liger-kernel>=0.8.5,<0.9",),
            paper="arXiv:2410.10989",
            license="Apache-2.0",
            upstream="https://github.com/linkedin/Liger-Kernel",
        ),
    ]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Register the norm operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/liger-rms",
            contract="norm.rms@1",
            target="contrib_liger_kernel.kernels:rms_norm",
            summary="RMS norm by liger-kernel's Triton kernels.",
            devices=("cuda",),
            dtypes=("float32", "bfloat16"),
            gradients="first",
            compiles="none",
            requires=("liger-kernel>=0.8.5,<0.9",),
            paper="arXiv:2410.10989",
            license="Apache-2.0",
            upstream="https://github.com/linkedin/Liger-Kernel",
        ),
        dougong.Operator(
            name="contrib/liger-layer",
            contract="norm.layer@1",
            target="contrib_liger_kernel.kernels:layer_norm",
            summary="Layer norm by liger-kernel's Triton kernels.",
            devices=("cuda",),
            gradients="first",
            compiles="none",
            requires=("liger-kernel>=0.8.5,<0.9",),
            paper="arXiv:2410.10989",
            license="Apache-2.0",
            upstream="https://github.com/linkedin/Liger-Kernel",
        ),
    ]
