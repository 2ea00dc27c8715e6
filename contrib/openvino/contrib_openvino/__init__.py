"""OpenVINO as an inference backend.

Metadata only: nothing here imports torch, or openvino.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    """Register the backend operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/openvino",
            contract="backend.inference@2",
            target="contrib_openvino.compiled:prepare",
            summary="A model converted and compiled by OpenVINO for the CPU, in float32.",
            modes=("infer",),
            compiles="none",
            requires=("openvino>=2026.4,<2027",),
            paper="https://docs.openvino.ai",
            license="Apache-2.0",
            upstream="https://github.com/openvinotoolkit/openvino",
        ),
    ]
