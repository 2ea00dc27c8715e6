"""Training with the operator in the loop goes through the sandbox, forward and backward."""

from __future__ import annotations

import pytest
import torch

from dougong import contracts
from dougong_ci.quality.adapt import TrainThrough, adapted
from dougong_ci.quality.exam import exact
from dougong_ci.quality.model import LM, trained

pytestmark = pytest.mark.timeout(300)


def through(parties, target: str) -> TrainThrough:
    contract = contracts.contract("attention.approx@1")
    return TrainThrough(parties["candidate"].spawn(), contract, target, limit_s=10.0)


def test_gradients_from_the_sandbox_are_those_of_the_function(parties):
    way = through(parties, "liars_code:honest")
    q, k, v = (torch.randn(2, 2, 48, 32, requires_grad=True) for _ in "qkv")
    flowing = torch.randn(2, 2, 48, 32)
    found = torch.autograd.grad(way.attend(q, k, v, mask=None), (q, k, v), flowing)
    due = torch.autograd.grad(exact(is_causal=True)(q, k, v, mask=None), (q, k, v), flowing)
    for mine, theirs in zip(found, due, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    parties["candidate"].drop()


def test_exact_attention_in_the_loop_adapts_like_exact_attention(parties):
    way = through(parties, "liars_code:honest")
    found = adapted(trained(LM), way.attend, seed=1, steps=2)
    assert found.candidate == pytest.approx(found.exact, abs=1e-3)
    parties["candidate"].drop()


def test_what_looks_at_nothing_stays_behind(parties):
    way = through(parties, "liars_code:mean")
    found = adapted(trained(LM), way.attend, seed=1, steps=2)
    assert found.candidate > found.exact + 0.1
    parties["candidate"].drop()
