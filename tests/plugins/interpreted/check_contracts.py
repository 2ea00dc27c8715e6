"""The Triton operators keep their contracts, in Triton's interpreter.

Attention is left to `check_kernels.py` and to the judge on a device: the interpreter takes minutes
over the contract's lengths.
"""

from __future__ import annotations

import pytest

# Where a device gives infinity, numpy warns as well.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
POINTWISE = [
    "dougong/rms-triton",
    "dougong/layer-triton",
    "dougong/gelu-triton",
    "dougong/silu-triton",
    "dougong/squared-relu-triton",
    "dougong/swiglu-triton",
]


@pytest.mark.parametrize("operator", POINTWISE, indirect=True)
def test_outputs_are_within_the_tolerance_of_the_contract(operator, outputs_fail):
    assert outputs_fail(operator) == []


@pytest.mark.parametrize("operator", POINTWISE, indirect=True)
def test_gradients_are_within_the_tolerance_of_the_contract(operator, gradients_fail):
    assert gradients_fail(operator) == []


@pytest.mark.parametrize("operator", POINTWISE, indirect=True)
def test_the_laws_of_the_contract_hold(operator, laws_fail):
    assert laws_fail(operator) == []
