"""`dougong/cpu-attention` against its definition in float64: any shape, layout, heads and dtype."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dougong.catalogue import Catalogue
from dougong_kernels import definition
from dougong_kernels.exact import attention

CLOSE = {torch.float32: (2e-5, 2e-5), torch.bfloat16: (2e-2, 2e-2)}
EXAMPLES = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def shapes(draw, most_queries=150):
    """(B, H, K, T, S, D, E): around the tiles' sizes, and often not a multiple of anything."""
    K = draw(st.integers(1, 2))
    return (
        draw(st.integers(0, 2)),
        K * draw(st.integers(1, 3)),
        K,
        draw(st.integers(1, most_queries)),
        draw(st.integers(1, 150)),
        draw(st.integers(1, 70)),
        draw(st.integers(1, 70)),
    )


def drawn(shape, dtype, seed, *, transposed=False):
    B, H, K, T, S, D, E = shape
    source = torch.Generator().manual_seed(seed)

    def tensor(heads, length, size):
        # Transposed as a model's projection leaves it: the head between position and feature.
        each = torch.randn(B, length, heads, size, generator=source).transpose(1, 2)
        return (each if transposed else each.contiguous()).to(dtype)

    return tensor(H, T, D), tensor(K, S, D), tensor(K, S, E)


def exact(q, k, v, **rest):
    return definition.attention(q.double(), k.double(), v.double(), **rest)


def assert_close(found, wanted):
    rtol, atol = CLOSE[found.dtype]
    torch.testing.assert_close(found.double(), wanted, rtol=rtol, atol=atol)


@EXAMPLES
@given(shape=shapes(), is_causal=st.booleans(), transposed=st.booleans(), seed=st.integers(0, 99))
def test_any_shape_and_layout(compiled, dtype, shape, is_causal, transposed, seed):
    q, k, v = drawn(shape, dtype, seed, transposed=transposed)
    assert_close(attention(q, k, v, is_causal=is_causal), exact(q, k, v, is_causal=is_causal))


@EXAMPLES
@given(shape=shapes(), is_causal=st.booleans(), seed=st.integers(0, 99))
def test_gradients_of_any_shape(compiled, dtype, shape, is_causal, seed):
    tensors = [each.requires_grad_() for each in drawn(shape, dtype, seed)]
    wide = [each.detach().double().requires_grad_() for each in tensors]
    out, wanted = attention(*tensors, is_causal=is_causal), exact(*wide, is_causal=is_causal)
    slope = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    for found, right in zip(
        torch.autograd.grad(out, tensors, slope),
        torch.autograd.grad(wanted, wide, slope.double()),
        strict=True,
    ):
        size = max(1.0, float(right.abs().amax())) if right.numel() else 1.0
        assert_close(found / size, right / size)


@EXAMPLES
@given(shape=shapes(4), is_causal=st.booleans(), seed=st.integers(0, 99))
def test_decoding_of_any_shape(compiled, dtype, shape, is_causal, seed):
    q, k, v = drawn(shape, dtype, seed)
    assert_close(attention(q, k, v, is_causal=is_causal), exact(q, k, v, is_causal=is_causal))


def test_decoding_joins_the_parts_of_a_long_cache(compiled, dtype):
    q, k, v = drawn((2, 4, 2, 2, 3001, 40, 24), dtype, 0)
    assert_close(attention(3 * q, k, v, is_causal=True), exact(3 * q, k, v, is_causal=True))


@pytest.mark.parametrize("scale", [0.0, -0.3, 2.0])
def test_any_scale(compiled, dtype, scale):
    q, k, v = drawn((1, 2, 1, 70, 70, 16, 16), dtype, 1)
    assert_close(attention(q, k, v, scale=scale), exact(q, k, v, scale=scale))


def test_values_too_small_for_pairs_are_kept(compiled):
    q, k, v = drawn((1, 1, 1, 70, 70, 16, 16), torch.bfloat16, 7)
    v = (v.double() * 2.0**-120).bfloat16()
    found = attention(q, k, v).double() * 2.0**120
    wanted = exact(q, k, v.double() * 2.0**120)
    torch.testing.assert_close(found, wanted, rtol=2e-2, atol=1e-3)


def test_rows_that_cancel_are_as_right_as_in_float32(compiled):
    q, k, v = drawn((1, 4, 4, 64, 300, 16, 1), torch.bfloat16, 8)
    v = v.expand(-1, -1, -1, 16)
    error = (attention(q, k, v).double() - exact(q, k, v)).abs()
    size = exact(q, k, v).abs()
    small = size < size.mean() / 40
    assert small.any()
    assert error[small].max() <= 2.0**-8 * size[small].max()


def test_more_queries_than_keys_leave_zeros(compiled, dtype):
    q, k, v = drawn((1, 1, 1, 40, 7, 8, 8), dtype, 2)
    out = attention(q, k, v, is_causal=True)
    assert not out[:, :, :33].any()
    assert out[:, :, 33:].all()


def test_a_nan_shows_where_it_is_seen_and_nowhere_else(compiled, dtype):
    q, k, v = drawn((1, 1, 1, 70, 70, 16, 16), dtype, 3)
    q[0, 0, 5, 3] = torch.nan
    bad = attention(q, k, v, is_causal=True).isnan().any(-1)[0, 0]
    assert bad.nonzero().flatten().tolist() == [5]


def test_the_number_of_threads_changes_no_bit(compiled, dtype):
    q, k, v = drawn((1, 3, 1, 200, 200, 24, 24), dtype, 4)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = attention(q, k, v), attention(q[:, :, :1], k, v)
        torch.set_num_threads(3)
        three = attention(q, k, v), attention(q[:, :, :1], k, v)
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, one, three))


@pytest.mark.parametrize("additive", [False, True])
def test_masks_are_kept_by_torchs_own_kernel(dtype, additive):
    q, k, v = drawn((2, 2, 1, 9, 11, 8, 8), dtype, 5)
    mask = torch.rand(2, 1, 9, 11, generator=torch.Generator().manual_seed(5)) > 0.4
    mask[0, 0, 3] = False
    given = torch.where(mask, 0.5, -torch.inf).to(dtype) if additive else mask
    assert_close(
        attention(q, k, v, mask=given, is_causal=True), exact(q, k, v, mask=given, is_causal=True)
    )


def test_misfits_are_refused():
    q, k, v = drawn((1, 3, 2, 4, 4, 8, 8), torch.float32, 6)
    with pytest.raises(ValueError, match="must divide the 3 query heads, got 2"):
        attention(q, k, v)
    with pytest.raises(ValueError, match="got shapes"):
        attention(q[0], k[0], v[0])
    with pytest.raises(ValueError, match="must be \\(B, H, T, D\\)"):
        attention(q, q[..., :7], q)


def test_the_operator_comes_in_by_the_ordinary_door():
    entry = Catalogue.load(["dougong_kernels"]).get("dougong/cpu-attention")
    assert entry.operator.load() is attention
