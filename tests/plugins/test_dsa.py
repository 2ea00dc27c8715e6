"""Dynamic sparse attention: what is kept is what the budget says, and no more is seen."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dougong_plugins.attention.dsa.caching import Cached
from dougong_plugins.attention.dsa.choosing import choose
from dougong_plugins.attention.dsa.distilling import divergence
from dougong_plugins.attention.dsa.indexers import Oracle, Pooled, Quest, Random, Window
from dougong_plugins.attention.dsa.keeping import kept_of
from dougong_plugins.attention.dsa.kernels import gathered, masked, reference
from dougong_plugins.attention.dsa.learned import made
from dougong_plugins.attention.dsa.lightning import Sizes
from dougong_plugins.attention.dsa.operator import dsa
from dougong_plugins.attention.dsa.saving import load_indexers, save_indexers
from dougong_plugins.attention.dsa.selectors import Always, Mass, Ratio, TopK
from dougong_plugins.attention.dsa.weights import exact_weights
from dougong_plugins.attention.standard import standard
from dougong_plugins.attention.visibility import causal_mask

SIZES = Sizes(heads=4, key_heads=2, head_size=16, index_heads=3, index_size=8)


def drawn(T=70, S=70, H=4, K=2, D=16, seed=3):
    source = torch.Generator().manual_seed(seed)
    shapes = ((2, H, T, D), (2, K, S, D), (2, K, S, D))
    return tuple(torch.randn(shape, generator=source, dtype=torch.float64) for shape in shapes)


def learned(kind="lightning", seed=0):
    torch.manual_seed(seed)
    return made(kind, SIZES)


INDEXERS = {
    "window": Window(),
    "oracle": Oracle(),
    "pooled": Pooled(8),
    "quest": Quest(8),
    "lightning": learned("lightning"),
    "low-rank": learned("low-rank"),
}
LEARNED = ("lightning", "low-rank")


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 50),
    st.integers(0, 3),
    st.integers(0, 2**31),
)
def test_top_k_keeps_exactly_the_best_that_a_query_sees(T, S, k, levels, seed):
    source = torch.Generator().manual_seed(seed)
    score = torch.randn(2, 3, T, S, generator=source)
    if levels:  # few distinct scores: many ties
        score = torch.randint(0, levels + 1, score.shape, generator=source).float()
    visible = torch.rand(2, 1, T, S, generator=source) < 0.7
    kept = TopK(k, Always(recent=0))(score, visible, 1)
    assert not (kept & ~visible).any()
    seen = visible.sum(-1).expand(2, 3, T)
    assert torch.equal(kept.sum(-1), seen.clamp(max=k))
    for row, chosen, may in zip(
        score.flatten(0, 2),
        kept.flatten(0, 2),
        visible.expand_as(score).flatten(0, 2),
        strict=True,
    ):
        places = [i for i in range(S) if may[i]]
        best = sorted(places, key=lambda i: (-float(row[i]), i))[:k]
        assert sorted(best) == chosen.nonzero().flatten().tolist()


def test_a_share_is_rounded_up_and_has_a_least():
    visible = causal_mask(100, 100, torch.device("cpu"))
    kept = Ratio(0.2, least=4)(torch.randn(1, 1, 100, 100), visible, 1)
    expected = [min(n, max(4, -(-n // 5))) for n in range(1, 101)]
    assert kept.sum(-1).flatten().tolist() == expected


@given(st.floats(0.1, 0.99), st.integers(0, 2**31))
def test_a_mass_is_reached_by_the_fewest_keys(mass, seed):
    source = torch.Generator().manual_seed(seed)
    score = 2 * torch.randn(1, 1, 9, 40, generator=source, dtype=torch.float64)
    visible = torch.ones(9, 40, dtype=torch.bool)
    kept = Mass(mass, least=1, always=Always(recent=0))(score, visible, 1)
    weight = score.softmax(-1)
    held = (weight * kept).sum(-1)
    assert bool((held >= mass - 1e-6).all())
    least = weight.masked_fill(~kept, 2).amin(-1)
    assert bool((held - least < mass + 1e-6).all())


@pytest.mark.parametrize("name", INDEXERS)
@pytest.mark.parametrize(("T", "S"), [(70, 70), (9, 70), (1, 70)])
@pytest.mark.parametrize("is_causal", [False, True])
def test_every_kernel_gives_the_same_for_the_same_selection(name, T, S, is_causal):
    q, k, v = drawn(T, S)
    visible = causal_mask(T, S, q.device) if is_causal else None
    kept = choose(INDEXERS[name], TopK(24), q, k, visible)
    expected = reference(q, k, v, kept)
    torch.testing.assert_close(masked(q, k, v, kept), expected)
    torch.testing.assert_close(gathered(q, k, v, kept), expected)
    torch.testing.assert_close(gathered(q, k, v, kept, block=7), expected)


@pytest.mark.parametrize("name", INDEXERS)
def test_keeping_all_is_exact(name):
    q, k, v = drawn()
    found = dsa(q, k, v, is_causal=True, indexer=INDEXERS[name], selector=TopK(80), block=1)
    torch.testing.assert_close(found, standard(q, k, v, is_causal=True))


@pytest.mark.parametrize("name", ["quest", "pooled", *LEARNED, "window"])
def test_with_a_choice_a_query_what_comes_later_changes_nothing_before(name):
    q, k, v = drawn()
    arguments = {"is_causal": True, "indexer": INDEXERS[name], "selector": TopK(20), "block": 1}
    before = dsa(q, k, v, kernel=masked, **arguments)
    for x in (q, k, v):
        x[:, :, 50:] += 3
    after = dsa(q, k, v, kernel=masked, **arguments)
    assert torch.equal(before[:, :, :50], after[:, :, :50])
    assert not torch.equal(before[:, :, 50:], after[:, :, 50:])


def test_a_hidden_key_is_never_chosen_and_a_blind_query_gives_zeros():
    q, k, v = drawn()
    mask = torch.ones(2, 1, 1, 70, dtype=torch.bool)
    mask[0, ..., 30:] = False
    mask[1] = False
    found = dsa(q, k, v, mask=mask, selector=TopK(24))
    assert bool((found[1] == 0).all())
    v[0, :, 30:] = 1e30
    assert torch.equal(dsa(q, k, v, mask=mask, selector=TopK(24))[0], found[0])


def test_quest_bounds_every_product_of_its_page():
    q, k, _ = drawn(T=20)
    bound = Quest(8)(q, k).repeat_interleave(8, -1)[..., :70]
    product = q @ k.repeat_interleave(2, 1).mT
    assert bool((bound >= product - 1e-4).all())


def test_the_oracle_keeps_more_of_the_attention_than_chance():
    q, k, _ = drawn()
    visible = causal_mask(70, 70, q.device)
    mass = {}
    for name, indexer in {"oracle": Oracle(shared=False), "random": Random()}.items():
        kept = choose(indexer, TopK(14), q, k, visible)
        found = kept_of(q, k, kept, visible)
        mass[name] = found.mean_mass
        per_head = sum(min(14, n) for n in range(1, 71))
        assert found.operations == 2 * 4 * per_head
        assert found.area == 2 * 4 * 70 * 70
    assert mass["oracle"] > mass["random"] + 0.1


@pytest.mark.parametrize("kind", LEARNED)
def test_an_indexer_learns_the_attention_and_the_model_learns_nothing_from_it(kind):
    q, k, _ = (x.float().requires_grad_() for x in drawn(seed=8))
    indexer, visible = learned(kind), causal_mask(70, 70, torch.device("cpu"))
    optimizer = torch.optim.Adam(indexer.parameters(), lr=1e-2)
    before = kept_of(q, k, choose(indexer, TopK(14), q, k, visible), visible).mean_mass
    losses = []
    for _ in range(60):
        loss = divergence(indexer, q, k, rows=torch.arange(20, 70))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert q.grad is None
    assert k.grad is None
    after = kept_of(q, k, choose(indexer, TopK(14), q, k, visible), visible).mean_mass
    assert after > before + 0.03


def test_low_rank_products_fitted_in_full_are_the_attention():
    q, k, _ = (x.float() for x in drawn())
    indexer = made("low-rank", dataclasses.replace(SIZES, index_size=16))
    q_KND = q.reshape(2, 2, -1, 16).transpose(0, 1).reshape(2, -1, 16)
    k_KND = k.transpose(0, 1).reshape(2, -1, 16)
    indexer.fit(q_KND.mT @ q_KND, k_KND.mT @ k_KND)
    visible = causal_mask(70, 70, q.device)
    expected = exact_weights(q, k, visible).mean(1, keepdim=True)
    torch.testing.assert_close(indexer(q, k).softmax(-1), expected, atol=1e-4, rtol=1e-3)


def test_the_fit_finds_the_dimensions_that_queries_look_at():
    q, k, _ = (x.float() for x in drawn())
    k[..., 8:] *= 5  # large in the keys, but
    q[..., 8:] *= 0.01  # no query reads them
    indexer = made("low-rank", SIZES)  # 8 of 16 dimensions
    q_KND = q.reshape(2, 2, -1, 16).transpose(0, 1).reshape(2, -1, 16)
    k_KND = k.transpose(0, 1).reshape(2, -1, 16)
    indexer.fit(q_KND.mT @ q_KND, k_KND.mT @ k_KND)
    visible = causal_mask(70, 70, q.device)
    expected = exact_weights(q, k, visible).mean(1, keepdim=True)
    found = indexer(q, k).detach().softmax(-1)
    assert float((found - expected).abs().sum(-1).mean()) < 0.2


@pytest.mark.parametrize("kind", LEARNED)
def test_a_cache_that_grows_gives_the_scores_of_the_whole(kind):
    q, k, _ = (x.float() for x in drawn())
    indexer = learned(kind)
    cached, whole = Cached(indexer), indexer(q, k)
    found = [cached(q[:, :, :60], k[:, :, :60])[..., -1:, :]]
    for t in range(60, 70):
        found.append(cached(q[:, :, t : t + 1], k[:, :, : t + 1]))
        torch.testing.assert_close(found[-1], whole[:, :, t : t + 1, : t + 1])
    other = k.flip(0)
    torch.testing.assert_close(cached(q[:, :, -1:], other), indexer(q[:, :, -1:], other))


def test_indexers_come_back_from_disk_as_they_were(tmp_path):
    q, k, _ = (x.float() for x in drawn())
    both = [learned("lightning", 1), learned("low-rank", 2)]
    save_indexers(both, tmp_path / "indexers.safetensors")
    for mine, found in zip(both, load_indexers(tmp_path / "indexers.safetensors"), strict=True):
        assert torch.equal(mine(q, k), found(q, k))


def test_another_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="format must be"):
        load_indexers(tmp_path / "other.safetensors")


def test_heads_that_do_not_divide_are_an_error_that_names_them():
    q, k, v = drawn()
    with pytest.raises(ValueError, match="must divide the 4 query heads, got 3"):
        dsa(q, k[:, :1].expand(-1, 3, -1, -1), v)


@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_the_fit_follows_the_scale_of_the_layer(scale):
    q, k, _ = (x.float() for x in drawn())
    indexer = made("low-rank", dataclasses.replace(SIZES, index_size=16))
    q_KND = q.reshape(2, 2, -1, 16).transpose(0, 1).reshape(2, -1, 16)
    k_KND = k.transpose(0, 1).reshape(2, -1, 16)
    indexer.fit(q_KND.mT @ q_KND, k_KND.mT @ k_KND, scale)
    expected = exact_weights(q, k, causal_mask(70, 70, q.device), scale).mean(1, keepdim=True)
    torch.testing.assert_close(indexer(q, k).softmax(-1), expected, atol=1e-4, rtol=1e-3)
