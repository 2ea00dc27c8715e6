"""The optimizers as `torch.optim` users expect them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import dougong

NAMES = [
    "dougong/adamw-loop",
    "dougong/adamw-foreach",
    "dougong/adamw-fused",
    "dougong/sgd-momentum",
    "dougong/lion",
    "dougong/muon",
    "dougong/adafactor",
]


def problem():
    torch.manual_seed(0)
    model = nn.Linear(8, 8, bias=False)
    x, wanted = torch.randn(64, 8), torch.randn(8, 8)
    return model, lambda: (model(x) - x @ wanted).square().mean()


def step(optimizer, loss_of):
    optimizer.zero_grad()
    loss = loss_of()
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize("name", NAMES)
def test_a_small_problem_gets_smaller(name):
    model, loss_of = problem()
    optimizer = dougong.optimizer(name, model.parameters(), lr=0.01)
    losses = [step(optimizer, loss_of) for _ in range(200)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_goes_on_to_the_same_bits(name):
    model, loss_of = problem()
    optimizer = dougong.optimizer(name, model.parameters(), lr=0.01)
    for _ in range(3):
        step(optimizer, loss_of)
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    for _ in range(3):
        step(optimizer, loss_of)
    expected = model.weight.detach().clone()
    model.load_state_dict(weights)
    resumed = dougong.optimizer(name, model.parameters(), lr=0.01)
    resumed.load_state_dict(state)
    for _ in range(3):
        step(resumed, loss_of)
    assert torch.equal(model.weight, expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_without_a_gradient_stays_and_a_group_has_its_own_rate(name):
    model, loss_of = problem()
    idle, frozen = nn.Parameter(torch.ones(4, 4)), copy.deepcopy(model)
    groups = [{"params": [idle]}, {"params": model.parameters(), "lr": 0.0, "weight_decay": 0.0}]
    optimizer = dougong.optimizer(name, groups, lr=0.1)
    step(optimizer, loss_of)
    assert torch.equal(idle, torch.ones(4, 4))
    assert torch.equal(model.weight, frozen.weight)


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_rate_is_an_error_that_names_it(name):
    model, _ = problem()
    with pytest.raises(ValueError, match=r"-1"):
        dougong.optimizer(name, model.parameters(), lr=-1.0)


@pytest.mark.parametrize("name", ["dougong/adamw-foreach", "dougong/adamw-fused"])
def test_the_fast_adamw_follows_the_loop(name):
    paths = []
    for each in ("dougong/adamw-loop", name):
        model, loss_of = problem()
        optimizer = dougong.optimizer(each, model.parameters(), lr=0.01, weight_decay=0.1)
        for _ in range(20):
            step(optimizer, loss_of)
        paths.append(model.weight.detach())
    torch.testing.assert_close(*paths)
