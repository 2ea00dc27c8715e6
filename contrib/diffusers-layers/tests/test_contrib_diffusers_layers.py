from __future__ import annotations

import pytest
from contrib_diffusers_layers import dougong_register_activation, dougong_register_norm

from dougong.testing import assert_accurate

pytest.importorskip("diffusers", reason="needs upstream")
OPERATORS = dougong_register_activation() + dougong_register_norm()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
