"""ONNX Runtime as an inference backend.

Metadata only: nothing here imports torch, or onnxruntime.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    """Register the backend operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/onnxruntime",
            contract="backend.inference@2",
            target="contrib_onnxruntime.session:prepare",
            summary="A model exported to ONNX and run by ONNX Runtime on the CPU.",
            modes=("infer",),
            compiles="none",
            requires=("onnxruntime>=1.32,<2", "onnx>=1.23", "onnxscript>=0.7"),
            paper="https://onnxruntime.ai",
            license="Apache-2.0",
            upstream="https://github.com/microsoft/onnxruntime",
        ),
    ]
