"""The optimizers as `torch.optim` users expect them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import dougong
from dougong_plugins.optimizer.adamw_8bit import dequantized, quantized
from dougong_plugins.optimizer.shampoo import inverse_root
from dougong_plugins.optimizer.soap import followed

NAMES = [
    "dougong/adamw-loop",
    "dougong/adamw-foreach",
    "dougong/adamw-fused",
    "dougong/sgd-momentum",
    "dougong/lion",
    "dougong/muon",
    "dougong/adafactor",
    "dougong/soap",
    "dougong/shampoo",
    "dougong/schedule-free-adamw",
    "dougong/sophia-g",
    "dougong/ademamix",
    "dougong/adamw-8bit",
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


@pytest.mark.parametrize(
    "name",
    [
        "dougong/train-adamw",
        "dougong/train-sgd-momentum",
        "dougong/train-lion",
        "dougong/train-muon",
        "dougong/train-adafactor",
        "dougong/prodigy",
    ],
)
def test_what_brings_its_own_rate_makes_a_small_problem_smaller(name):
    model, loss_of = problem()
    optimizer = dougong.optimizer(name, model.parameters())
    losses = [step(optimizer, loss_of) for _ in range(300)]
    assert losses[-1] < 0.5 * losses[0]


def test_schedule_free_evaluates_an_average_and_goes_on_from_where_it_was():
    model, loss_of = problem()
    optimizer = dougong.optimizer("dougong/schedule-free-adamw", model.parameters(), lr=0.05)
    for _ in range(20):
        step(optimizer, loss_of)
    here = model.weight.detach().clone()
    optimizer.eval()
    average = model.weight.detach().clone()
    assert not torch.equal(average, here)
    with pytest.raises(RuntimeError, match=r"call train\(\) before step"):
        step(optimizer, loss_of)
    optimizer.train()
    torch.testing.assert_close(model.weight.detach(), here)


def test_eight_bits_keep_a_quarter_of_the_state_and_most_of_each_value():
    p = torch.randn(64, 64, requires_grad=True)
    optimizer = dougong.optimizer("dougong/adamw-8bit", [p])
    p.grad = torch.randn(64, 64)
    optimizer.step()
    state = sum(v.nbytes for v in optimizer.state[p].values())
    assert state < 0.27 * 2 * p.nbytes
    codes, scale = quantized(p.grad, 4)
    near = dequantized(codes, scale, 4)[: p.numel()].view_as(p)
    assert float((near - p.grad).norm() / p.grad.norm()) < 0.02


@pytest.mark.parametrize("eps", [0.0, 1e-6])
def test_an_inverse_root_undoes_its_matrix(eps):
    torch.manual_seed(0)
    half = torch.randn(12, 20, dtype=torch.float64)
    moment = half @ half.mT
    root = inverse_root(moment, 4, eps)
    product = root @ root @ moment @ root @ root
    torch.testing.assert_close(product, torch.eye(12, dtype=torch.float64), atol=1e-3, rtol=0)


def test_the_basis_of_soap_follows_a_matrix_to_its_eigenvectors():
    torch.manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))
    moment = turn @ torch.diag(2.0 ** torch.arange(8.0, dtype=torch.float64)) @ turn.mT
    basis = torch.eye(8, dtype=torch.float64)
    for _ in range(60):
        basis, _ = followed(moment, basis)
    turned = basis.mT @ moment @ basis
    off = turned - turned.diag().diag()
    assert float(off.abs().max()) < 1e-6 * float(turned.abs().max())
