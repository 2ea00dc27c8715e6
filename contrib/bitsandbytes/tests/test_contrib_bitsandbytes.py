from __future__ import annotations

import pytest
from contrib_bitsandbytes import dougong_register_optimizer, dougong_register_transform

from dougong.testing import assert_accurate

pytest.importorskip("bitsandbytes", reason="needs upstream")
OPERATORS = dougong_register_optimizer() + dougong_register_transform()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
