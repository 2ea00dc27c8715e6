"""What the tests of the compiled kernels share."""

from __future__ import annotations

import pytest
import torch

from dougong_kernels import library


@pytest.fixture(scope="session")
def compiled() -> library.Kernels:
    """The kernels; tests that need them are skipped, with the reason, where there are none."""
    if reason := library.missing():
        pytest.skip(f"dougong-kernels has no compiled library: {reason}")
    found = library.kernels()
    assert found is not None
    return found


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param
