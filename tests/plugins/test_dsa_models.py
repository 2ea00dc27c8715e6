"""Dynamic sparse attention in a model of transformers: taught, counted, decoded with, taken out."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers

from dougong_plugins.attention.dsa.attaching import Attached
from dougong_plugins.attention.dsa.indexers import Quest, Window
from dougong_plugins.attention.dsa.selectors import Always, TopK
from dougong_plugins.transform.dsa_calibrate import dsa_calibrate


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=0, eos_token_id=None,
        bos_token_id=None,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def ids():
    return torch.randint(1, 64, (2, 48), generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def logits(model, ids, **rest):
    return model(ids, **rest).logits


def test_a_budget_for_all_keys_changes_nothing_and_revert_is_to_the_bit(model, ids):
    dense, keys = logits(model, ids), list(model.state_dict())
    attached = Attached(model, [Quest(8)] * 2, TopK(48))
    torch.testing.assert_close(logits(model, ids), dense)
    for layer in attached.layers:
        layer.selector = TopK(8)
    assert not torch.allclose(logits(model, ids), dense)
    assert list(model.state_dict()) == keys
    attached.revert()
    attached.revert()
    assert torch.equal(logits(model, ids), dense)


def test_padding_is_never_attended_to(model, ids):
    mask = torch.ones_like(ids)
    mask[1, :20] = 0
    Attached(model, [Window()] * 2, TopK(16, Always(sinks=2)))
    found = logits(model, ids, attention_mask=mask)
    ids[1, :20] = 7
    other = logits(model, ids, attention_mask=mask)
    assert torch.equal(found[1, 20:], other[1, 20:])


def test_what_is_kept_is_counted(model, ids):
    attached = Attached(model, [Window()] * 2, TopK(8))
    with pytest.raises(RuntimeError, match=r"call count\(\)"):
        attached.report()
    attached.count()
    logits(model, ids)
    found = attached.report()
    per_head = sum(min(8, n) for n in range(1, 49))
    assert found.operations == 2 * 2 * 4 * per_head  # layers, batch, heads
    assert found.area == 2 * 2 * 4 * 48 * 48
    assert 0 < found.mean_mass < 1
    assert "score operations" in str(found)


@pytest.mark.parametrize("kind", ["low-rank", "lightning"])
def test_calibration_teaches_a_copy_and_leaves_the_model_alone(model, ids, tmp_path, kind):
    before, dense = copy.deepcopy(model.state_dict()), logits(model, ids)
    curve, kept = tmp_path / "loss.svg", tmp_path / "indexers.safetensors"
    sparse = dsa_calibrate(
        model, calibration=[ids] * 20, selector=TopK(8), rate=1e-2, rows=48, index_size=4,
        kind=kind, save_to=kept, plot_to=curve, quiet=True,
    )  # fmt: skip
    untaught = dsa_calibrate(
        model, calibration=[ids], selector=TopK(8), rate=0.0, kind="lightning", quiet=True
    )
    mass = []
    for each in (sparse, untaught):
        each.dsa.count()
        logits(each, ids)
        mass.append(each.dsa.report().mean_mass)
    assert mass[0] > mass[1]
    assert curve.read_text().startswith("<svg")
    assert torch.equal(logits(model, ids), dense)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = dsa_calibrate(model, selector=TopK(8), load_from=kept)
    assert torch.equal(logits(again, ids), logits(sparse, ids))
    sparse.dsa.revert()
    assert torch.equal(logits(sparse, ids), dense)


def test_decoding_from_a_cache_chooses_as_prefill_does(model, ids):
    sparse = dsa_calibrate(model, calibration=[ids], selector=TopK(8), quiet=True)
    whole = logits(sparse, ids)
    with torch.no_grad():
        step = sparse(ids[:, :40], use_cache=True)
        for t in range(40, 48):
            step = sparse(ids[:, t : t + 1], past_key_values=step.past_key_values, use_cache=True)
            torch.testing.assert_close(step.logits[:, 0], whole[:, t], atol=1e-5, rtol=1e-4)


def test_a_model_that_cannot_be_swapped_is_an_error_that_says_why(model):
    with pytest.raises(ValueError, match="2 attention layers need an indexer each, got 1"):
        Attached(model, [Window()], TopK(8))
    with pytest.raises(ValueError, match="no attention with transformers"):
        Attached(torch.nn.Linear(2, 2), [], TopK(8))
    with pytest.raises(ValueError, match="or load_from name a file"):
        dsa_calibrate(model)
    model.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="attention must be 'sdpa', got 'eager'"):
        Attached(model, [Window()] * 2, TopK(8))
