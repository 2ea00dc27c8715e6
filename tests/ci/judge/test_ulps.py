from __future__ import annotations

import math

import pytest
import torch

from dougong_ci.judge.ulps import EDGES, MISSED, distances, spacing, steps

FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", FLOATS[:2], ids=str)
def test_a_neighbouring_number_is_one_step_away(dtype):
    value = torch.tensor([1.0, 1.5, -3.0, 100.0], dtype=dtype)
    other = torch.nextafter(value, torch.full_like(value, torch.inf))
    assert distances(other, value.double()).tolist() == [1.0] * 4


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_step_is_the_spacing_of_the_dtype(dtype):
    golden = torch.tensor([1.0, 1.99, 2.0, -4.0], dtype=torch.float64)
    eps = torch.finfo(dtype).eps
    assert spacing(golden, dtype).tolist() == [eps, eps, 2 * eps, 4 * eps]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_rounding_is_at_most_half_a_step(dtype):
    golden = torch.randn(4096, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = steps(golden.to(dtype), golden)
    assert 0.2 < found.p50 < found.p99 <= found.largest <= 0.5 + 1e-3
    assert sum(found.counts) == 4096
    assert sum(found.counts[EDGES.index(0.5) + 1 :]) <= 4


def test_a_zero_among_large_values_is_measured_by_what_could_cancel_there():
    golden = torch.tensor([1.0, 0.0], dtype=torch.float64)
    value = torch.tensor([1.0, 2.0**-46], dtype=torch.float32)
    assert distances(value, golden).tolist() == [0.0, 1.0]


def test_subnormals_are_measured_in_the_smallest_step():
    golden = torch.tensor([1e-40], dtype=torch.float64)
    value = torch.tensor([1e-40], dtype=torch.float32)
    assert float(distances(value, golden)) < 1
    assert float(distances(torch.zeros(1), golden)) == pytest.approx(1e-40 / 2.0**-149)


def test_non_finite_values_are_met_or_missed():
    golden = torch.tensor([math.nan, math.inf, -math.inf, 1.0], dtype=torch.float64)
    met = golden.float()
    assert distances(met, golden).tolist() == [0.0] * 4
    wrong = torch.tensor([1.0, -math.inf, math.nan, math.nan])
    assert distances(wrong, golden).tolist() == [MISSED] * 4
    found = steps(wrong, golden)
    assert found.counts[-1] == 4
    assert math.isfinite(found.largest)


def test_overflow_of_the_dtype_is_infinite_and_that_is_right():
    golden = torch.tensor([1e39], dtype=torch.float64)
    assert float(distances(torch.tensor([math.inf]), golden)) == 0.0


def test_an_empty_output_has_no_steps():
    found = steps(torch.empty(0, 3), torch.empty(0, 3, dtype=torch.float64))
    assert found.largest == 0
    assert sum(found.counts) == 0
