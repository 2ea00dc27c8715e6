from __future__ import annotations

import pytest
import torch
from contrib_executorch import dougong_register_backend
from contrib_executorch.means import DECOMPOSITIONS

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


IMAGE = torch.rand(2, 8, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        pytest.param(torch.nn.GroupNorm(4, 8), IMAGE, id="group-norm"),
        pytest.param(torch.nn.GroupNorm(2, 8, affine=False), IMAGE[:, :, 0, 0], id="no-space"),
        pytest.param(torch.nn.AdaptiveAvgPool2d(1), IMAGE, id="global-pool"),
        pytest.param(torch.nn.AdaptiveAvgPool2d(2), IMAGE, id="pool-to-four"),
    ],
)
def test_what_is_decomposed_stays_what_it_was(layer, x):
    program = torch.export.export(layer.double().eval(), (x,)).run_decompositions(
        dict(DECOMPOSITIONS)
    )
    torch.testing.assert_close(program.module()(x), layer(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("dims", [(-1, -2), (3, 0, 1), (2,)])
def test_a_mean_is_taken_one_dimension_at_a_time(dims, keepdim):
    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean(dims, keepdim)

    program = torch.export.export(Mean(), (IMAGE,)).run_decompositions(dict(DECOMPOSITIONS))
    taken = [node.args[1] for node in program.graph.nodes if "mean" in str(node.target)]
    assert [len(each) for each in taken] == [1] * len(dims)
    torch.testing.assert_close(program.module()(IMAGE), IMAGE.mean(dims, keepdim))
