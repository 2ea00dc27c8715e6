from __future__ import annotations

import pytest
from contrib_pytorch_optimizer_more import dougong_register_optimizer

from dougong.testing import assert_accurate

pytest.importorskip("pytorch_optimizer", reason="needs upstream")
OPERATORS = dougong_register_optimizer()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_agrees_with_the_contract(operator):
    assert_accurate(operator)


def test_no_algorithm_comes_twice():
    algorithms = [operator.variant for operator in OPERATORS]
    assert len(algorithms) == len(set(algorithms))
