from __future__ import annotations

import pytest
from contrib_performer import dougong_register_attention

from dougong.testing import assert_accurate

pytest.importorskip("performer_pytorch", reason="needs upstream")
REJECTED = {"contrib/performer": "256 random features are too noisy for the contract's topics"}
"""Operators that the contract does not accept, and why: kept, so that it can be seen."""
OPERATORS = dougong_register_attention()
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
