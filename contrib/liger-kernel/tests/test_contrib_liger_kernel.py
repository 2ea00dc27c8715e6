from __future__ import annotations

import pytest
import torch
from contrib_liger_kernel import dougong_register_activation, dougong_register_norm

from dougong.testing import assert_accurate

pytest.importorskip("liger_kernel", reason="needs upstream")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)
OPERATORS = dougong_register_activation() + dougong_register_norm()
CASES = [
    pytest.param(operator, dtype, id=f"{operator.name}-{dtype}")
    for operator in OPERATORS
    for dtype in operator.dtypes
]


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_agrees_with_the_contract(operator, dtype):
    assert_accurate(operator, dtype=dtype)
