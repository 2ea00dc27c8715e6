"""`dougong/cpu-block-sparse` and decoding: the same selection gives what a mask gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dougong.catalogue import Catalogue
from dougong_kernels import definition
from dougong_kernels.selection import PageBounds, by_means
from dougong_kernels.sparse import attend_to, merged, sparse, sparse_decode, sparse_reference

CLOSE = {torch.float32: (2e-5, 2e-5), torch.bfloat16: (2e-2, 2e-2)}
EXAMPLES = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def drawn(B, H, K, T, S, D, dtype, seed=0):
    source = torch.Generator().manual_seed(seed)
    shapes = ((B, H, T, D), (B, K, S, D), (B, K, S, D))
    return [torch.randn(shape, generator=source).to(dtype) for shape in shapes]


def assert_close(found, wanted):
    rtol, atol = CLOSE[found.dtype]
    torch.testing.assert_close(found.double(), wanted, rtol=rtol, atol=atol)


def masked(q, k, v, kept, *, is_causal):
    mask = merged(None, kept, q.shape[2], k.shape[2])
    groups = q.shape[1] // mask.shape[1]
    mask = mask.repeat_interleave(groups, dim=1)
    return definition.attention(q.double(), k.double(), v.double(), mask=mask, is_causal=is_causal)


@EXAMPLES
@given(
    T=st.integers(1, 300),
    S=st.integers(1, 500),
    D=st.integers(1, 40),
    keep=st.sampled_from([0.1, 0.2, 0.6, 1.0]),
    is_causal=st.booleans(),
)
def test_equals_a_mask_of_the_same_selection(compiled, dtype, T, S, D, keep, is_causal):
    q, k, v = drawn(1, 4, 2, T, S, D, dtype)
    kept = by_means(q, k, keep=keep, is_causal=is_causal)
    assert_close(
        attend_to(q, k, v, kept, is_causal=is_causal), masked(q, k, v, kept, is_causal=is_causal)
    )


def test_all_blocks_kept_is_exact_attention(compiled, dtype):
    q, k, v = drawn(2, 2, 1, 200, 200, 24, dtype)
    wanted = definition.attention(q.double(), k.double(), v.double(), is_causal=True)
    assert_close(sparse(q, k, v, is_causal=True, keep=1.0), wanted)


@pytest.mark.parametrize("is_causal", [False, True])
def test_a_fifth_of_what_is_seen_is_kept_and_never_the_future(is_causal):
    q, k, _ = drawn(1, 2, 2, 4096, 4096, 8, torch.float32)
    kept = by_means(q, k, keep=0.2, is_causal=is_causal)
    seen = torch.arange(1, 65) if is_causal else torch.full((64,), 64)
    assert torch.equal(
        kept.count[0, 0], (0.2 * seen).ceil().clamp(min=2, max=64).int().minimum(seen.int())
    )
    for n, (row, count) in enumerate(zip(kept.index[0, 1], kept.count[0, 1], strict=True)):
        used = row[:count].tolist()
        assert used == sorted(set(used))
        assert {0, n} <= set(used)
        assert not is_causal or max(used) == n


def test_finds_the_block_that_matters():
    q, k, _ = drawn(1, 1, 1, 640, 640, 32, torch.float32)
    q[:, :, 320:384] = k[:, :, 192:256] = 3.0
    assert 3 in by_means(q, k, keep=0.5, is_causal=True).index[0, 0, 5]


@EXAMPLES
@given(T=st.integers(1, 3), S=st.integers(3, 3000), D=st.integers(1, 40), cut=st.integers(0, 3000))
def test_decoding_equals_a_mask_of_the_same_selection(compiled, dtype, T, S, D, cut):
    q, k, v = drawn(2, 4, 2, T, S, D, dtype)
    pages = PageBounds(k[:, :, : min(cut, S)])
    pages.update(k)
    kept = pages.choose(q, keep=0.2)
    mask = merged(None, kept, 1, S).repeat_interleave(2, dim=1)
    wide = (each.double() for each in (q, k, v))
    wanted = definition.attention(*wide, mask=mask, is_causal=True)
    assert_close(sparse_decode(q, k, v, pages), wanted)


def test_a_key_hidden_among_others_brings_its_block_in_while_decoding():
    q, k, _ = drawn(1, 1, 1, 1, 6400, 16, torch.float32)
    k[0, 0, 3000] = 4 * q[0, 0, 0].sign()
    assert 3000 // 64 in PageBounds(k).choose(q, keep=0.05).index[0, 0, 0]


def test_gradients_and_masks_are_taken_the_slow_way(dtype):
    q, k, v = drawn(1, 2, 2, 130, 130, 8, dtype)
    mask = torch.rand(130, 130, generator=torch.Generator().manual_seed(1)) > 0.2
    q.requires_grad_()
    out = sparse(q, k, v, mask=mask, is_causal=True)
    wide = (each.detach().double() for each in (q, k, v))
    assert_close(out.detach(), sparse_reference(*wide, mask=mask, is_causal=True))
    assert torch.autograd.grad(out.sum(), q)[0].isfinite().all()


def test_nothing_to_attend_to_gives_zeros():
    q, k, v = drawn(1, 2, 2, 3, 0, 8, torch.float32)
    assert torch.equal(sparse(q, k, v), torch.zeros(1, 2, 3, 8))


@pytest.mark.parametrize("keep", [0.0, -1.0, 1.5])
def test_a_share_outside_its_range_is_refused(keep):
    q, k, v = drawn(1, 1, 1, 4, 4, 8, torch.float32)
    with pytest.raises(ValueError, match=f"keep must lie in \\(0, 1\\], got {keep}"):
        sparse(q, k, v, keep=keep)


def test_the_operator_comes_in_by_the_ordinary_door():
    entry = Catalogue.load(["dougong_kernels"]).get("dougong/cpu-block-sparse")
    assert entry.operator.load() is sparse
