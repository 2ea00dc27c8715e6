from __future__ import annotations

import pytest
from contrib_lion_pytorch import dougong_register_optimizer

from dougong.testing import assert_accurate

pytest.importorskip("lion_pytorch", reason="needs upstream")
OPERATORS = dougong_register_optimizer()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
