from __future__ import annotations

import pytest
import torch
from torch import nn

import dougong
from dougong.errors import PlanError


@pytest.fixture
def net():
    return nn.Sequential(nn.Linear(8, 8), nn.RMSNorm(8, eps=1e-6))


X = torch.linspace(-1, 1, 16).reshape(2, 8)


def calls(operators, net):
    operators.CALLS.clear()
    net(X)
    return operators.CALLS


def test_infer_asks_for_a_model_in_eval_mode(net, catalogue):
    with pytest.raises(PlanError, match=r"mode='infer' but 1 \(RMSNorm\) is in training mode"):
        dougong.plan(net, {"norm.rms": "t/rms"}, catalogue=catalogue)


def test_an_infer_swap_steps_aside_in_training(net, catalogue, operators):
    dougong.plan(net.eval(), {"norm.rms": "t/rms"}, catalogue=catalogue).apply()
    assert calls(operators, net) == ["rms"]
    net.train()
    assert calls(operators, net) == []
    assert net[1].training
    net.eval()
    assert calls(operators, net) == ["rms"]


def test_a_train_swap_serves_both_modes(net, catalogue, operators):
    dougong.plan(net, {"norm.rms": "t/rms"}, mode="train", catalogue=catalogue).apply()
    assert calls(operators, net.train()) == ["rms"]
    assert calls(operators, net.eval()) == ["rms"]
    assert "train" not in net[1].__dict__


@pytest.mark.parametrize("order", [("infer", "train"), ("train", "infer")])
def test_plans_of_both_modes_merge(order, net, catalogue, operators):
    names = {"infer": "t/rms", "train": "t/rms-other"}
    handles = [
        dougong.plan(net.eval(), {"norm.rms": names[m]}, mode=m, catalogue=catalogue).apply()
        for m in order
    ]
    assert calls(operators, net.eval()) == ["rms"]
    assert calls(operators, net.train()) == ["rms_other"]
    handles[1].revert()
    remaining = ["rms"] if order[0] == "infer" else ["rms_other"]
    assert calls(operators, net.eval()) == remaining
    handles[0].revert()
    assert calls(operators, net.train()) == []
    assert not {"train", "forward", "_dougong"} & set(net[1].__dict__)


def test_mode_changes_work_in_attention(tiny, catalogue, ids):
    model = tiny("llama")
    dougong.plan(model, {"attention": "t/attention"}, catalogue=catalogue).apply()
    layer = model.model.layers[0].self_attn
    assert layer.config._attn_implementation == "dougong"
    model.train()
    assert layer.config is model.config
    model.eval()
    assert layer.config._attn_implementation == "dougong"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("t/rms-no-gradient", "made to infer, not to train")],
)
def test_training_needs_a_gradient(name, reason, net, catalogue):
    with pytest.raises(PlanError, match=reason):
        dougong.plan(net, {"norm.rms": name}, mode="train", catalogue=catalogue)


def test_a_wrong_gradient_fails_the_check_in_training_only(net, catalogue):
    choices = {"norm.rms": "t/rms-wrong-gradient"}
    dougong.plan(net.eval(), choices, catalogue=catalogue).apply().revert()
    planned = dougong.plan(net, choices, mode="train", catalogue=catalogue)
    with pytest.raises(PlanError, match="gradient of"):
        planned.apply()


def test_an_operator_without_gradient_never_drops_one_silently(net, catalogue):
    dougong.plan(net.eval(), {"norm.rms": "t/rms-no-gradient"}, catalogue=catalogue).apply()
    with torch.no_grad():
        net(X)
    with pytest.raises(PlanError, match="has no gradient"):
        net(X)


@pytest.mark.parametrize("family", ["llama", "bert", "gpt2"])
def test_gradients_stay_the_same(family, tiny, catalogue, ids):
    dropouts = {
        "llama": {},
        "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0},
    }
    model = tiny(family, **dropouts[family]).train()
    norm = "norm.rms" if family == "llama" else "norm.layer"
    activation = "activation.swiglu" if family == "llama" else "activation.gelu"
    choices = {
        norm: f"t/{norm.split('.')[1]}",
        activation: f"t/{activation.split('.')[1]}",
        "attention": "t/attention",
    }

    def gradients():
        model.zero_grad()
        model(ids, labels=ids).loss.backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    expected = gradients()
    with dougong.plan(model, choices, mode="train", catalogue=catalogue).apply():
        found = gradients()
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
