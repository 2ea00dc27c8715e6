from __future__ import annotations

import pytest
import torch

import dougong

EVERYTHING = {
    "llama": {
        "norm.rms": "t/rms-quiet",
        "activation.swiglu": "t/swiglu",
        "attention": "t/attention",
    },
    "qwen3": {
        "norm.rms": "t/rms-quiet",
        "activation.swiglu": "t/swiglu",
        "attention": "t/attention",
    },
    "bert": {"norm.layer": "t/layer", "activation.gelu": "t/gelu", "attention": "t/attention"},
    "gpt2": {"norm.layer": "t/layer", "activation.gelu": "t/gelu", "attention": "t/attention"},
}


@pytest.mark.parametrize("family", EVERYTHING)
def test_fullgraph_holds_where_it_held_before(family, tiny, catalogue, ids):
    model = tiny(family)

    def run():
        torch._dynamo.reset()
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        with torch.no_grad():
            return compiled(ids, attention_mask=torch.ones_like(ids)).logits

    expected = run()
    with dougong.plan(model, EVERYTHING[family], catalogue=catalogue).apply():
        found = run()
    torch.testing.assert_close(found, expected)
    assert torch.equal(run(), expected)


def test_a_compiled_model_follows_apply_and_revert(tiny, catalogue, ids):
    model = tiny("llama")
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")

    def logits():
        with torch.no_grad():
            return compiled(ids).logits

    expected = logits()
    planned = dougong.plan(model, {"norm.rms": "t/rms-wrong"}, catalogue=catalogue)
    with planned.apply(check="none"):
        assert not torch.allclose(logits(), expected)
    assert torch.equal(logits(), expected)


def test_padding_is_kept_in_a_compiled_model(tiny, catalogue, ids):
    model = tiny("llama")
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    torch._dynamo.reset()
    with dougong.plan(model, EVERYTHING["llama"], catalogue=catalogue).apply(check="none"):
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        with torch.no_grad():
            found = compiled(ids, attention_mask=mask).logits
            other = compiled(torch.where(mask.bool(), ids, 50), attention_mask=mask).logits
            expected = model(ids, attention_mask=mask).logits
    text = mask.bool()
    torch.testing.assert_close(found[text], expected[text])
    assert torch.equal(found[text], other[text])


def test_a_norm_compiles_with_autograd(catalogue):
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8), torch.nn.GELU())
    torch._dynamo.reset()
    choices = {"norm.layer": "t/layer", "activation.gelu": "t/gelu"}
    x = torch.linspace(-2, 2, 32).reshape(4, 8)
    model(x).sum().backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    with dougong.plan(model, choices, mode="train", catalogue=catalogue).apply():
        torch.compile(model, fullgraph=True, backend="aot_eager")(x).sum().backward()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
