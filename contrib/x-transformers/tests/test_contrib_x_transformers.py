from __future__ import annotations

import pytest
from contrib_x_transformers import (
    dougong_register_activation,
    dougong_register_attention,
    dougong_register_norm,
)

from dougong.testing import assert_accurate

pytest.importorskip("x_transformers", reason="needs upstream")
REJECTED = {"contrib/x-transformers-rms": "it has no eps, which the contract asks for"}
"""Operators that the contract does not accept, and why: kept, so that it can be seen."""
OPERATORS = dougong_register_activation() + dougong_register_attention() + dougong_register_norm()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype, request):
    if reason := REJECTED.get(operator.name):
        request.applymarker(pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason))
    assert_accurate(operator, dtype=dtype)
