from __future__ import annotations

import copy
import functools
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import dougong
from dougong.errors import PlanError
from dougong.swap import revert

CHOICES = {
    "llama": {"norm.rms": "t/rms", "activation.swiglu": "t/swiglu", "attention": "t/attention"},
    "bert": {"norm.layer": "t/layer", "activation.gelu": "t/gelu", "attention": "t/attention"},
}


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture(params=list(CHOICES))
def swapped(request, tiny, catalogue):
    model = tiny(request.param)
    dougong.plan(model, CHOICES[request.param], catalogue=catalogue).apply(check="none")
    return model


def running(model):
    return [m.__dict__["_dougong"].active.operator for m in model.modules() if is_swapped(m)]


def is_swapped(module):
    return "_dougong" in module.__dict__


def zeroed(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()


def test_a_copy_is_swapped_and_stands_alone(swapped, ids):
    expected = logits(swapped, ids)
    twin = copy.deepcopy(swapped)
    assert running(twin) == running(swapped)
    zeroed(swapped)
    assert torch.equal(logits(twin, ids), expected)
    revert(swapped)
    assert running(twin)
    revert(twin)
    assert not running(twin)
    torch.testing.assert_close(logits(twin, ids), expected)


def test_a_saved_model_is_swapped_when_loaded(swapped, ids):
    expected = logits(swapped, ids)
    file = io.BytesIO()
    torch.save(swapped, file)
    file.seek(0)
    # weights_only=False, because a whole model is code; the state_dict below needs no such trust.
    loaded = torch.load(file, weights_only=False)
    assert running(loaded) == running(swapped)
    zeroed(swapped)
    assert torch.equal(logits(loaded, ids), expected)
    revert(loaded)
    torch.testing.assert_close(logits(loaded, ids), expected)


def test_a_state_dict_knows_nothing_of_swaps(swapped, tiny, ids):
    family = "llama" if "Llama" in type(swapped).__name__ else "bert"
    plain = tiny(family)
    assert list(plain.state_dict()) == list(swapped.state_dict())
    zeroed(plain)
    plain.load_state_dict(swapped.state_dict(), strict=True)
    torch.testing.assert_close(logits(plain, ids), logits(swapped, ids))


def test_save_pretrained_writes_a_plain_model(swapped, tmp_path):
    swapped.save_pretrained(tmp_path)
    loaded = type(swapped).from_pretrained(tmp_path)
    assert not running(loaded)
    assert "dougong" not in (tmp_path / "config.json").read_text()
    for name, value in swapped.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize("name", ["t/rms-quiet", "t/rms-closure", "t/rms-no-gradient"])
def test_any_operator_travels_by_its_target(name, catalogue):
    norm = torch.nn.RMSNorm(8, eps=1e-6).eval()
    dougong.plan(norm, {"norm.rms": name}, catalogue=catalogue).apply(check="none")
    x = torch.linspace(-1, 1, 16).reshape(2, 8)
    file = io.BytesIO()
    torch.save(norm, file)
    file.seek(0)
    for twin in (copy.deepcopy(norm), torch.load(file, weights_only=False)):
        assert running(twin) == [name]
        with torch.no_grad():
            twin.weight.mul_(2)
            assert torch.equal(twin(x), 2 * norm(x))
        assert revert(twin) == 1


def test_a_wrapper_around_a_swapped_forward_is_seen(catalogue):
    norm = torch.nn.RMSNorm(8, eps=1e-6).eval()
    handle = dougong.plan(norm, {"norm.rms": "t/rms-quiet"}, catalogue=catalogue).apply()
    wrapped = norm.forward
    # As accelerate hooks a module: a partial that takes over the attributes of the old forward.
    wrapper = functools.partial(lambda module, x: wrapped(x), norm)
    norm.forward = functools.update_wrapper(wrapper, wrapped)
    with pytest.raises(PlanError, match="changed by something else"):
        handle.revert()
    norm.forward = wrapped
    handle.revert()
    assert "forward" not in norm.__dict__


SCRIPT = """
import sys, torch
sys.path.insert(0, sys.argv[2])
try:
    model = torch.load(sys.argv[1], weights_only=False)
except Exception as error:
    print(type(error).__name__, error)
else:
    print(model.forward.slot.operator, model(torch.ones(1, 8)).sum().item())
"""


@pytest.mark.parametrize("folder", [str(Path(__file__).parent), ""])
def test_loading_in_a_process_without_the_plugin_says_so(folder, catalogue, tmp_path):
    model = torch.nn.RMSNorm(8, eps=1e-6).eval()
    dougong.plan(model, {"norm.rms": "t/rms"}, catalogue=catalogue).apply()
    torch.save(model, tmp_path / "model.pt")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "model.pt"), folder],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=dict(os.environ),
    )
    if folder:
        assert run.stdout.startswith("t/rms 8.0") or run.stdout.startswith("t/rms 7.99")
    else:
        assert run.stdout.startswith("PlanError this model was saved with t/rms swapped in")
        assert "install its distribution" in run.stdout
