"""The attentions beyond their contract: when they are exact, what they skip, what they refuse."""

from __future__ import annotations

import pytest
import torch

from dougong_plugins.attention.linear import (
    FEATURE_MAPS,
    linear,
    linear_reference,
    linear_softmax,
    linear_softmax_reference,
)
from dougong_plugins.attention.sliding_window import sliding_window, sliding_window_reference
from dougong_plugins.attention.sparse_topk import sparse_topk, sparse_topk_reference
from dougong_plugins.attention.standard import standard

FAST = {
    "dougong/linear": (linear, linear_reference),
    "dougong/linear-softmax": (linear_softmax, linear_softmax_reference),
    "dougong/sparse-topk": (sparse_topk, sparse_topk_reference),
    "dougong/sliding-window": (sliding_window, sliding_window_reference),
}


def drawn(T=300, S=300, H=4, K=2, D=16):
    torch.manual_seed(3)
    shapes = ((2, H, T, D), (2, K, S, D), (2, K, S, D))
    return tuple(torch.randn(shape, dtype=torch.float64) for shape in shapes)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("T", "S"), [(300, 300), (70, 300), (1, 300)])
def test_the_fast_form_equals_the_definition_beside_it(name, is_causal, masked, T, S):
    fast, definition = FAST[name]
    q, k, v = drawn(T, S)
    mask = None
    if masked:
        mask = torch.ones(2, 1, 1, S, dtype=torch.bool)
        mask[1, ..., :40] = False
    arguments = {"mask": mask, "is_causal": is_causal}
    torch.testing.assert_close(fast(q, k, v, **arguments), definition(q, k, v, **arguments))


@pytest.mark.parametrize("feature_map", FEATURE_MAPS)
def test_chunks_equal_the_definition_by_every_feature_map(feature_map):
    q, k, v = drawn()
    arguments = {"is_causal": True, "feature_map": feature_map}
    torch.testing.assert_close(linear(q, k, v, **arguments), linear_reference(q, k, v, **arguments))


def test_keeping_every_block_is_exact():
    q, k, v = drawn()
    torch.testing.assert_close(sparse_topk(q, k, v, keep=1.0), standard(q, k, v))


def test_a_short_sequence_within_the_window_is_exact():
    q, k, v = drawn(T=64, S=64)
    exact = standard(q, k, v, is_causal=True)
    torch.testing.assert_close(sliding_window(q, k, v, is_causal=True), exact)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda q, k, v: sparse_topk(q, k, v, keep=0.0), "keep must lie in"),
        (lambda q, k, v: linear(q, k, v, scale=-1.0), "scale must be positive"),
        (lambda q, k, v: linear(q, k, v, feature_map="cos"), "must be one of elu, relu, softmax"),
        (lambda q, k, v: standard(q, k[:, :1].expand(-1, 3, -1, -1), v), "key heads must divide"),
    ],
)
def test_what_has_no_meaning_is_an_error_that_names_the_value(call, said):
    with pytest.raises(ValueError, match=said):
        call(*drawn(T=8, S=8))
