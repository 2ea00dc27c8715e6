from __future__ import annotations

import pytest
from contrib_executorch import dougong_register_backend

from dougong.testing import assert_accurate

pytest.importorskip("executorch", reason="needs upstream")
OPERATORS = dougong_register_backend()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
