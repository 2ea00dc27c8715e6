"""The gated delta rule: chunks equal the recurrence, and what the rule is for."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dougong_plugins.attention.gated_delta import CHUNK, gated_delta, gated_delta_recurrent


def drawn(B, H, T, D, V, decay, seed, dtype=torch.float64):
    source = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=source, dtype=torch.float64)

    q, k = normal(2, B, H, T, D)
    k = k / k.norm(dim=-1, keepdim=True)
    gate, beta = -decay * normal(B, H, T).sigmoid(), normal(B, H, T).sigmoid()
    tensors = (q, k, normal(B, H, T, V), gate, beta)
    return tuple(x.to(dtype).requires_grad_() for x in tensors)


@settings(max_examples=25, deadline=None)
@given(
    T=st.one_of(st.integers(1, 12), st.integers(CHUNK - 1, 2 * CHUNK + 2)),
    D=st.integers(1, 9),
    V=st.integers(1, 9),
    decay=st.sampled_from([0.0, 0.3, 20.0]),
    scale=st.sampled_from([None, 0.7]),
    seed=st.integers(0, 99),
)
def test_chunks_equal_the_recurrence_with_every_gradient(T, D, V, decay, scale, seed):
    tensors = drawn(2, 2, T, D, V, decay, seed)
    found = gated_delta(*tensors, scale=scale)
    expected = gated_delta_recurrent(*tensors, scale=scale)
    torch.testing.assert_close(found, expected)
    flowing = torch.randn_like(found)
    mine = torch.autograd.grad(found, tensors, flowing)
    torch.testing.assert_close(mine, torch.autograd.grad(expected, tensors, flowing))


def test_a_value_written_twice_under_one_key_is_the_last_one():
    _, k, v, *_ = drawn(1, 1, 2, 4, 3, 0.0, 1)
    k = k[:, :, :1].expand(-1, -1, 2, -1)
    out = gated_delta(k, k, v, torch.zeros(1, 1, 2).double(), torch.ones(1, 1, 2).double(), scale=1)
    torch.testing.assert_close(out, v)


def test_nothing_is_read_from_a_state_that_nobody_writes():
    q, k, v, gate, beta = drawn(1, 2, 70, 4, 4, 0.3, 2)
    assert not gated_delta(q, k, v, gate, torch.zeros_like(beta)).any()


def test_an_empty_batch_gives_an_empty_answer():
    assert gated_delta(*drawn(0, 2, 5, 4, 3, 0.3, 3)).shape == (0, 2, 5, 3)


def test_fast_forgetting_over_a_long_chunk_loses_no_digits():
    wide = drawn(1, 1, CHUNK, 8, 8, 40.0, 4)
    single = tuple(x.detach().float() for x in wide)
    torch.testing.assert_close(
        gated_delta(*single).double(), gated_delta_recurrent(*wide), rtol=1e-5, atol=1e-6
    )
