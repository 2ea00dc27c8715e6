from __future__ import annotations

from importlib.util import find_spec

import pytest
from contrib_keras import dougong_register_activation, dougong_register_norm

from dougong.testing import assert_accurate

if find_spec("keras") is None:  # importing it here would choose its backend
    pytest.skip("needs upstream", allow_module_level=True)
OPERATORS = dougong_register_activation() + dougong_register_norm()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
