from __future__ import annotations

import pytest
from contrib_flex_attention import dougong_register_attention

from dougong.testing import assert_accurate

pytest.importorskip("torch", reason="needs upstream")
OPERATORS = dougong_register_attention()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
