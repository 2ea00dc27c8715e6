from __future__ import annotations

import copy

import pytest
import torch

import dougong
from dougong.errors import PlanError


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture
def llama(tiny):
    return tiny("llama")


def test_planning_changes_nothing(llama, catalogue, ids):
    before = {path: dict(m.__dict__) for path, m in llama.named_modules()}
    expected = logits(llama, ids)
    dougong.plan(llama, {"norm.rms": "t/rms", "attention": "t/attention"}, catalogue=catalogue)
    assert {path: dict(m.__dict__) for path, m in llama.named_modules()} == before
    assert torch.equal(logits(llama, ids), expected)


def test_installing_alone_changes_nothing(llama, catalogue, operators, ids):
    logits(llama, ids)
    assert operators.CALLS == []


def test_apply_runs_the_operator_in_every_selected_module(llama, catalogue, operators, ids):
    expected = logits(llama, ids)
    with dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue).apply(check="none"):
        found = logits(llama, ids)
    assert operators.CALLS == ["rms"] * 5
    torch.testing.assert_close(found, expected)


def test_a_model_that_is_a_gated_mlp_itself_is_swapped(llama, catalogue):
    mlp = llama.model.layers[0].mlp
    planned = dougong.plan(mlp, {"activation.swiglu": "t/swiglu"}, catalogue=catalogue)
    with planned.apply() as swapped:
        assert [row.running for row in swapped.report().rows] == ["t/swiglu"]


def test_apply_leaves_class_parameters_hooks_and_tree(llama, catalogue, ids):
    seen = []
    llama.model.norm.register_forward_hook(lambda m, a, out: seen.append("after"))
    llama.model.norm.register_forward_pre_hook(lambda m, a: seen.append("before"))
    keys, tree = list(llama.state_dict()), [(p, type(m)) for p, m in llama.named_modules()]
    parameters = {name: id(p) for name, p in llama.named_parameters()}
    dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue).apply()
    assert list(llama.state_dict()) == keys
    assert [(p, type(m)) for p, m in llama.named_modules()] == tree
    assert {name: id(p) for name, p in llama.named_parameters()} == parameters
    logits(llama, ids)
    assert seen == ["before", "after"]


def test_revert_is_exact(llama, catalogue, ids):
    before = {path: dict(m.__dict__) for path, m in llama.named_modules()}
    expected = logits(llama, ids)
    everything = {"norm.rms": "t/rms", "attention": "t/attention", "activation.swiglu": "t/swiglu"}
    handle = dougong.plan(llama, everything, catalogue=catalogue).apply()
    assert not torch.equal(logits(llama, ids), torch.zeros_like(expected))
    handle.revert()
    assert {path: dict(m.__dict__) for path, m in llama.named_modules()} == before
    assert torch.equal(logits(llama, ids), expected)
    handle.revert()
    assert {path: dict(m.__dict__) for path, m in llama.named_modules()} == before


def test_revert_happens_when_the_block_raises(llama, catalogue):
    planned = dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue)
    with pytest.raises(KeyError), planned.apply():
        raise KeyError
    assert "forward" not in llama.model.norm.__dict__


def test_report_says_what_runs_and_what_was_checked(llama, catalogue):
    choices = {"norm.rms": "t/rms", "model.norm": "reference"}
    handle = dougong.plan(llama, choices, catalogue=catalogue).apply()
    rows = {row.path: row for row in handle.report().rows}
    assert rows["model.norm"].running == "reference"
    assert rows["model.layers.0.input_layernorm"].running == "t/rms"
    assert "error" in rows["model.layers.0.input_layernorm"].check
    assert "t/rms" in str(handle.report())
    handle.revert()
    assert {row.running for row in handle.report().rows} == {"reference"}


def test_applying_twice_changes_nothing_more(llama, catalogue, operators, ids):
    planned = dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue)
    first = planned.apply(check="none")
    forward = llama.model.norm.forward
    second = planned.apply(check="none")
    assert llama.model.norm.forward is forward
    logits(llama, ids)
    assert operators.CALLS == ["rms"] * 5
    second.revert()
    assert llama.model.norm.forward is forward
    first.revert()
    assert "forward" not in llama.model.norm.__dict__


def test_a_later_apply_must_be_reverted_first(llama, catalogue, operators, ids):
    first = dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue).apply()
    second = dougong.plan(llama, {"model.norm": "t/rms-other"}, catalogue=catalogue).apply()
    operators.CALLS.clear()
    logits(llama, ids)
    assert operators.CALLS == ["rms"] * 4 + ["rms_other"]
    with pytest.raises(PlanError, match=r"model\.norm was swapped again"):
        first.revert()
    second.revert()
    operators.CALLS.clear()
    logits(llama, ids)
    assert operators.CALLS == ["rms"] * 5
    first.revert()


@pytest.mark.parametrize("name", ["rms-wrong", "rms-raising"])
def test_a_failed_check_leaves_the_model_as_it_was(name, llama, catalogue, ids):
    expected = logits(llama, ids)
    choices = {"norm.rms": "t/rms", "model.norm": f"t/{name}"}
    planned = dougong.plan(llama, choices, catalogue=catalogue)
    with pytest.raises(PlanError, match=f"model.norm: t/{name} fails the quick check"):
        planned.apply()
    assert not any("forward" in m.__dict__ for m in llama.modules())
    assert torch.equal(logits(llama, ids), expected)


def test_a_failure_in_the_middle_restores_everything(llama, catalogue, ids):
    expected = logits(llama, ids)
    planned = dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue)
    dougong.plan(llama, {"model.norm": "t/rms-other"}, catalogue=catalogue).apply()
    llama.model.norm.forward = lambda x: x  # somebody else's
    with pytest.raises(PlanError, match="changed by something else"):
        planned.apply()
    assert "_dougong" not in llama.model.layers[0].input_layernorm.__dict__
    del llama.model.norm.forward, llama.model.norm.__dict__["_dougong"]
    del llama.model.norm.train
    assert torch.equal(logits(llama, ids), expected)


def test_a_forward_replaced_by_others_is_not_overwritten(llama, catalogue):
    mine = llama.model.norm.forward
    llama.model.norm.forward = lambda x: mine(x)
    with pytest.raises(PlanError, match=r"model\.norm .*replaced on the instance"):
        dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue)


def test_a_deep_copy_is_bound_to_itself(llama, catalogue, ids):
    handle = dougong.plan(llama, {"norm.rms": "t/rms"}, catalogue=catalogue).apply()
    expected = logits(llama, ids)
    twin = copy.deepcopy(llama)
    with torch.no_grad():
        llama.model.norm.weight.zero_()
    assert torch.equal(logits(twin, ids), expected)
    handle.revert()
    assert twin.model.norm.forward.args[0] is twin.model.norm
    assert dougong.swap.revert(twin) == 5
    assert "forward" not in twin.model.norm.__dict__
