"""Backends and transforms on a model: same answers, and the model that came in is untouched."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from torch import nn

import dougong
from dougong.errors import PlanError

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = (nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64), nn.LayerNorm(64))
    return nn.Sequential(*layers).eval()


@pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")  # torch's own
@pytest.mark.parametrize(
    "name",
    ["dougong/eager", pytest.param("dougong/inductor", marks=[needs_compiler, pytest.mark.slow])],
)
def test_a_backend_answers_as_the_model_does(model, name):
    x = torch.randn(8, 64)
    run = dougong.compile(model, backend=name, example_inputs=(x,))
    with torch.no_grad():
        torch.testing.assert_close(run(x), model(x))
    assert not run(x).requires_grad


@pytest.mark.parametrize("name", ["dougong/eager", "dougong/inductor"])
def test_a_model_in_training_mode_is_refused(model, name):
    with pytest.raises(PlanError, match=r"model\.eval\(\)"):
        dougong.compile(model.train(), backend=name, example_inputs=(torch.randn(8, 64),))


def test_int8_weights_are_a_quarter_and_the_answer_stays_near(model):
    before, x = copy.deepcopy(model.state_dict()), torch.randn(32, 64)
    small = dougong.transform(model, "dougong/int8-dynamic")
    with torch.no_grad():
        expected, found = model(x), small(x)
    assert float((found - expected).norm() / expected.norm()) < 0.05
    assert stored_bytes(small) < 0.4 * stored_bytes(model)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def stored_bytes(model):
    import io

    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return len(buffer.getvalue())
