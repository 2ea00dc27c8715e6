from __future__ import annotations

import pytest
import torch

import dougong
from dougong.errors import PlanError

DECODERS = ["llama", "mistral", "qwen2", "qwen3", "gpt2"]
ENCODERS = ["bert", "roberta", "distilbert"]
IMPLEMENTATIONS = ["sdpa", "eager"]
ATTENTION = {"attention": "t/attention"}


def logits(model, ids, **rest):
    with torch.no_grad():
        return model(ids, **rest).logits


def padded(ids, side):
    """Padding of three tokens in the second row, as (ids, mask, rows that hold text)."""
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    mask = mask if side == "left" else mask.flip(-1)
    return torch.where(mask.bool(), ids, 0), mask


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("family", DECODERS + ENCODERS)
def test_outputs_stay_the_same(family, implementation, tiny, catalogue, ids):
    model = tiny(family, attn_implementation=implementation)
    expected = logits(model, ids)
    with dougong.plan(model, ATTENTION, catalogue=catalogue).apply() as swapped:
        assert len([row for row in swapped.report().rows if row.running == "t/attention"]) == 2
        found = logits(model, ids)
    torch.testing.assert_close(found, expected)
    assert torch.equal(logits(model, ids), expected)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("family", DECODERS + ENCODERS)
def test_padding_is_kept(family, implementation, side, tiny, catalogue, ids):
    model = tiny(family, attn_implementation=implementation)
    ids, mask = padded(ids, side)
    expected = logits(model, ids, attention_mask=mask)
    disturbed = torch.where(mask.bool(), ids, 50)
    text = mask.bool()
    with dougong.plan(model, ATTENTION, catalogue=catalogue).apply(check="none"):
        found = logits(model, ids, attention_mask=mask)
        other = logits(model, disturbed, attention_mask=mask)
    torch.testing.assert_close(found[text], expected[text])
    assert torch.equal(other[text], found[text])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("family", DECODERS)
def test_the_future_is_not_seen(family, implementation, tiny, catalogue, ids):
    model = tiny(family, attn_implementation=implementation)
    later = ids.clone()
    later[:, 5:] = 3
    with dougong.plan(model, ATTENTION, catalogue=catalogue).apply(check="none"):
        assert torch.equal(logits(model, ids)[:, :5], logits(model, later)[:, :5])
        assert not torch.equal(logits(model, ids)[:, 5:], logits(model, later)[:, 5:])


def test_an_operator_that_ignores_masks_is_caught(tiny, catalogue, ids):
    model = tiny("llama")
    planned = dougong.plan(model, {"attention": "t/attention-deaf"}, catalogue=catalogue)
    with pytest.raises(PlanError, match="fails the quick check"):
        planned.apply()
    assert model.model.layers[0].self_attn.config is model.config


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("family", DECODERS)
def test_generation_gives_the_same_tokens(family, implementation, cache, tiny, catalogue, ids):
    model = tiny(family, attn_implementation=implementation)
    ids, mask = padded(ids, "left")

    def generate():
        return model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=8,
            do_sample=False,
            cache_implementation=cache if cache == "static" else None,
            disable_compile=True,
            output_scores=True,
            return_dict_in_generate=True,
        )

    expected = generate()
    with dougong.plan(model, ATTENTION, catalogue=catalogue).apply(check="none"):
        found = generate()
    assert torch.equal(found.sequences, expected.sequences)
    torch.testing.assert_close(torch.stack(found.scores), torch.stack(expected.scores))


def test_one_layer_can_be_swapped_alone(tiny, catalogue, ids):
    model = tiny("llama")
    ids, mask = padded(ids, "left")
    expected = logits(model, ids, attention_mask=mask)
    planned = dougong.plan(model, {"model.layers.1.self_attn": "t/attention"}, catalogue=catalogue)
    with planned.apply():
        first, second = (layer.self_attn.config for layer in model.model.layers)
        assert first is model.config
        assert first._attn_implementation == "sdpa"
        assert second._attn_implementation == "dougong"
        text = mask.bool()
        torch.testing.assert_close(logits(model, ids, attention_mask=mask)[text], expected[text])
    assert model.model.layers[1].self_attn.config is model.config


def test_the_models_own_config_stays_as_it_is(tiny, catalogue):
    model = tiny("bert")
    before = model.config.to_dict()
    with dougong.plan(model, ATTENTION, catalogue=catalogue).apply():
        assert model.config.to_dict() == before
        assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("t/attention-no-gqa", "does not declare gqa"),
        ("t/rms", r"implements norm\.rms@1, the module computes attention\.exact@1"),
    ],
)
def test_an_operator_that_lacks_what_the_module_needs_is_an_error(name, reason, tiny, catalogue):
    with pytest.raises(PlanError, match=reason):
        dougong.plan(tiny("llama"), {"attention": name}, catalogue=catalogue)


def test_eager_masks_need_an_operator_that_adds_masks(tiny, catalogue):
    model = tiny("llama", attn_implementation="eager")
    with pytest.raises(PlanError, match="does not declare mask:additive"):
        dougong.plan(model, {"attention": "t/attention-causal"}, catalogue=catalogue)


def test_an_undeclared_mask_raises_at_the_call(tiny, catalogue, ids):
    model = tiny("llama")
    expected = logits(model, ids)
    planned = dougong.plan(model, {"attention": "t/attention-causal"}, catalogue=catalogue)
    with planned.apply(check="none"):
        torch.testing.assert_close(logits(model, ids), expected)
        ids, mask = padded(ids, "left")
        with pytest.raises(PlanError, match="does not declare mask:boolean"):
            logits(model, ids, attention_mask=mask)


def test_an_approximate_operator_must_be_asked_for_as_one(tiny, catalogue):
    model = tiny("llama")
    with pytest.raises(PlanError, match=r"implements attention\.approx@1, not attention\.exact"):
        dougong.plan(model, {"attention.exact": "t/attention-approx"}, catalogue=catalogue)
    planned = dougong.plan(model, {"attention.approx": "t/attention-approx"}, catalogue=catalogue)
    assert planned.to_dict()["swapped"] == 2


def test_dropout_is_refused_in_training(tiny, catalogue):
    model = tiny("llama", attention_dropout=0.1).train()
    with pytest.raises(PlanError, match=r"attention_dropout is 0\.1"):
        dougong.plan(model, ATTENTION, mode="train", catalogue=catalogue)


def test_masks_of_another_implementation_are_refused(tiny, catalogue):
    model = tiny("llama", attn_implementation="flex_attention")
    with pytest.raises(PlanError, match=r"made for 'flex_attention'.*set_attn_implementation"):
        dougong.plan(model, ATTENTION, catalogue=catalogue)


def test_asking_transformers_for_dougong_without_a_plan_is_an_error(tiny, catalogue, ids):
    with dougong.plan(tiny("llama"), ATTENTION, catalogue=catalogue).apply():
        stranger = tiny("llama")
        stranger.set_attn_implementation("dougong")
        with pytest.raises(PlanError, match=r"serves modules swapped by dougong\.plan"):
            logits(stranger, ids)


def test_multihead_attention_of_torch_is_refused_with_the_reason(catalogue):
    model = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(16, 2, batch_first=True), 1
    ).eval()
    with pytest.raises(PlanError, match="fused path of its own"):
        dougong.plan(model, ATTENTION, catalogue=catalogue)


def test_a_norm_in_the_fused_path_of_torch_is_refused(catalogue):
    model = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(16, 2, batch_first=True), 1
    ).eval()
    with pytest.raises(PlanError, match=r"layers\.0.*fused path in eval mode never calls it"):
        dougong.plan(model, {"norm.layer": "t/layer"}, catalogue=catalogue)
