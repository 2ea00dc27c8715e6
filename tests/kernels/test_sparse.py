"""`dougong/cpu-block-sparse` and decoding: the same selection gives what a mask gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dougong.catalogue import Catalogue
from dougong_kernels import definition
from dougong_kernels.cache import PageBounds
from dougong_kernels.selection import Blocks, by_map, by_map_reference
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
    kept = by_map(q, k, keep=keep, is_causal=is_causal)
    assert_close(
        attend_to(q, k, v, kept, is_causal=is_causal), masked(q, k, v, kept, is_causal=is_causal)
    )


@EXAMPLES
@given(
    size=st.sampled_from([1, 4, 16, 64, 128]),
    T=st.integers(1, 200),
    S=st.integers(1, 400),
    is_causal=st.booleans(),
    by_key_head=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_selection_of_blocks_or_keys_can_be_given(
    compiled, dtype, size, T, S, is_causal, by_key_head, seed
):
    q, k, v = drawn(1, 4, 2, T, S, 24, dtype, seed)
    source = torch.Generator().manual_seed(seed)
    M, N, heads = -(-S // size), -(-T // 64), 2 if by_key_head else 4
    J = min(M, 90)
    index = torch.rand(1, heads, N, M, generator=source).argsort(-1)[..., :J].sort(-1).values
    count = torch.randint(0, J + 1, (1, heads, N), generator=source)
    kept = Blocks(index.int(), count.int(), size)
    mask = merged(None, kept, T, S).repeat_interleave(4 // heads, dim=1)
    wide = (each.double() for each in (q, k, v))
    wanted = definition.attention(*wide, mask=mask, is_causal=is_causal)
    assert_close(attend_to(q, k, v, kept, is_causal=is_causal), wanted)


@pytest.mark.parametrize(
    ("index", "size", "message"),
    [
        (torch.zeros(1, 3, 2, 1), 64, "must have count"),
        (torch.full((1, 4, 2, 1), 2), 64, r"blocks must lie in \[0, 2\), got 2"),
        (torch.zeros(1, 4, 2, 1), 96, "multiple of 64 keys or at most 64, got 96"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(index, size, message):
    q, k, v = drawn(1, 4, 2, 128, 128, 8, torch.float32)
    kept = Blocks(index.int(), torch.ones(index.shape[:-1], dtype=torch.int32), size)
    with pytest.raises(ValueError, match=message):
        attend_to(q, k, v, kept)


@EXAMPLES
@given(
    T=st.integers(1, 1300),
    S=st.integers(1, 1300),
    D=st.integers(1, 40),
    keep=st.sampled_from([0.1, 0.3, 1.0]),
    is_causal=st.booleans(),
)
def test_the_kernel_chooses_what_the_definition_does(compiled, dtype, T, S, D, keep, is_causal):
    q, k, _ = drawn(1, 4, 2, T, S, D, dtype)
    found = by_map(q, k, keep=keep, is_causal=is_causal)
    wanted = by_map_reference(q, k, keep=keep, is_causal=is_causal)
    assert torch.equal(found.count, wanted.count)
    sets = (merged(None, each, T, S)[:, :, ::64, ::64] for each in (found, wanted))
    apart = torch.logical_xor(*sets).sum()  # where rounding decides between two blocks
    assert apart <= 0.02 * wanted.count.sum() + 2


def test_all_blocks_kept_is_exact_attention(compiled, dtype):
    q, k, v = drawn(2, 2, 1, 200, 200, 24, dtype)
    wanted = definition.attention(q.double(), k.double(), v.double(), is_causal=True)
    assert_close(sparse(q, k, v, is_causal=True, keep=1.0), wanted)


@pytest.mark.parametrize("is_causal", [False, True])
def test_a_fifth_of_what_is_seen_is_kept_and_never_the_future(is_causal):
    q, k, _ = drawn(1, 2, 2, 4096, 4096, 8, torch.float32)
    kept = by_map(q, k, keep=0.2, is_causal=is_causal)
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
    assert 3 in by_map(q, k, keep=0.5, is_causal=True).index[0, 0, 5]


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


@EXAMPLES
@given(S=st.integers(1, 500), D=st.integers(1, 40), cut=st.integers(1, 500))
def test_bounds_hold_whatever_the_order_in_which_a_cache_grew(compiled, dtype, S, D, cut):
    q, k, _ = drawn(2, 2, 2, 1, S, D, dtype)
    pages = PageBounds(k[:, :, : min(cut, S)])
    pages.update(k)
    products = (q.double() @ k.double().mT).squeeze(2)
    padded = torch.nn.functional.pad(products, (0, -S % 64), value=-torch.inf)
    highest = padded.unflatten(-1, (-1, 64)).amax(-1)
    assert (pages.bounds(q) >= highest - 1e-3).all()
    kept = pages.choose(q, keep=0.3)
    score = pages.bounds(q)
    score[..., 0] = score[..., -1] = torch.inf
    lowest_kept = score.gather(-1, kept.index.squeeze(2).long()).amin(-1)
    assert torch.equal(lowest_kept, score.topk(kept.index.shape[-1]).values[..., -1])


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
