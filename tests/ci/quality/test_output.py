from __future__ import annotations

import pytest
import torch

from dougong.contracts.attention.exact import attention_torch
from dougong.contracts.sampling import generator
from dougong_ci.quality.exam import blind, exact
from dougong_ci.quality.output import output_error


@pytest.fixture(scope="module")
def layers():
    source = generator(3, "layers")
    q, k, v = (torch.randn(1, 2, 128, 32, generator=source) for _ in "qkv")
    return [(2 * q, k, v), (q, 2 * k, v)]


def first_keys(q, k, v, *, mask):
    """Attend exactly to the first half of what is seen."""
    T = q.shape[2]
    i, j = torch.arange(T).unsqueeze(1), torch.arange(T)
    return attention_torch(q, k, v, mask=j <= i // 2)


def test_exact_attention_has_no_error(layers):
    error = output_error(layers, exact(is_causal=True), generator(1, "probe"))
    assert error.relative_l2 < 1e-5
    assert error.p99 < 1e-4
    assert error.cosine == pytest.approx(1)
    assert error.mass_recall == pytest.approx(1, abs=1e-3)


def test_what_looks_at_nothing_has_no_direction(layers):
    error = output_error(layers, blind(is_causal=True), generator(1, "probe"))
    assert abs(error.cosine) < 0.05


def test_mass_recall_is_the_weight_that_both_put_on_the_same_keys(layers):
    # Half of the keys are left out; what is left gets their weight, which recalls nothing.
    error = output_error(layers, first_keys, generator(1, "probe"))
    assert 0.35 < error.mass_recall < 0.65


def test_what_is_not_finite_is_an_error_not_a_crash(layers):
    def broken(q, k, v, *, mask):
        return torch.full_like(q, torch.nan)

    error = output_error(layers, broken, generator(1, "probe"))
    assert error.relative_l2 == pytest.approx(1)
    assert error.mass_recall == 0
