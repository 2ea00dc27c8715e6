"""Every contract tells right from wrong: its baselines pass, and mistakes people make do not."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.nn import functional

from dougong import contracts
from dougong.contracts import evaluate
from dougong.contracts.accuracy import compare
from dougong.contracts.attention.exact import attention
from dougong.operator import resolve

SEED = 11
FUNCTIONS = [
    id for id in contracts.ids() if id.partition(".")[0] in ("norm", "activation", "attention")
]


def small(contract):
    # The first of each purpose that is not timed: enough to tell, quick to compute.
    return [
        work
        for work in (*contract.workloads, *contract.hidden(SEED))
        if {"accuracy", "edge"} & set(work.purpose) and "speed" not in work.purpose
    ]


def refused(contract, target, dtype=torch.float32):
    """Say which workload or law refuses an implementation, or return nothing."""
    for work in small(contract):
        case = contract.generate(work, SEED, dtype)
        bound = contract.bind(target, case)
        try:
            with torch.no_grad():
                outputs = bound(case.tensors)
        except RuntimeError as error:
            return f"{work.name}: {error}"
        golden = evaluate.golden(contract, case)
        natives = evaluate.natives(contract, case)
        scale = contract.tolerance.cap_scale
        for i, output in enumerate(outputs):
            found = compare(
                output,
                [native[i] for native in natives],
                golden[i],
                tolerance=contract.tolerance,
                scale=scale(work) if scale else 1.0,
                dtype=natives[0][i].dtype,
            )
            if not found.passed:
                return f"{work.name}: {found.reason}"
        for law in contract.laws:
            changed = law.variant(case, SEED)
            if changed is None:
                continue
            with torch.no_grad():
                after = contract.bind(target, changed)(changed.tensors)
            if wrong := law.violation(case, outputs, changed, after):
                return f"{law.name} on {work.name}: {wrong}"
    return ""


@pytest.mark.parametrize("id", contracts.ids())
def test_inputs_depend_on_the_seed_and_on_nothing_else(id):
    contract = contracts.contract(id)
    for work in contract.workloads[:3]:
        first, same, other = (contract.generate(work, s, torch.float32) for s in (1, 1, 2))
        named = [name for name, tensor in first.tensors.items() if tensor is not None]
        assert all(torch.equal(first.tensors[n], same.tensors[n]) for n in named)
        assert any(not torch.equal(first.tensors[n], other.tensors[n]) for n in named)


@pytest.mark.parametrize("id", contracts.ids())
def test_names_are_unique_costs_positive_and_hidden_workloads_new(id):
    contract = contracts.contract(id)
    hidden = (*contract.hidden(1), *contract.hidden(2))
    public = [work.name for work in contract.workloads]
    assert len(public) == len(set(public))
    assert not {work.name for work in hidden} & set(public)
    assert [w.params for w in contract.hidden(1)] == [w.params for w in contract.hidden(1)]
    assert [w.params for w in contract.hidden(1)] != [w.params for w in contract.hidden(2)]
    for work in contract.workloads:
        if "speed" in work.purpose:
            cost = contract.cost(work, torch.float32)
            assert cost.bytes > 0
            assert cost.flops > 0
        assert set(work.features) <= {*contract.features, *variants(contract)}


def variants(contract):
    return {f"variant:{name}" for name in contract.variants}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("id", [id for id in FUNCTIONS if not id.startswith("attention.approx")])
def test_trusted_implementations_pass(id, dtype):
    contract = contracts.contract(id)
    for target in contract.baselines.values():
        assert refused(contract, resolve(target), dtype) == ""


@pytest.mark.parametrize("id", FUNCTIONS)
def test_zeros_are_refused(id):
    contract = contracts.contract(id)
    right = resolve(next(iter(contract.baselines.values())))

    def zeros(*args, **kwargs):
        made = right(*args, **kwargs)
        if isinstance(made, torch.Tensor):
            return torch.zeros_like(made)
        return tuple(map(torch.zeros_like, made))

    assert refused(contract, zeros)


@pytest.mark.parametrize("id", [id for id in FUNCTIONS if not id.startswith("attention.approx")])
def test_work_done_in_half_the_bits_is_refused(id):
    contract = contracts.contract(id)
    right = resolve(next(iter(contract.baselines.values())))

    def downcast(*args, **kwargs):
        def low(value):
            floating = isinstance(value, torch.Tensor) and value.is_floating_point()
            return value.bfloat16() if floating else value

        lowered = {name: low(value) for name, value in kwargs.items()}
        made = right(*map(low, args), **lowered)
        if isinstance(made, torch.Tensor):
            return made.to(args[0].dtype)
        return tuple(each.to(args[0].dtype) for each in made)

    assert refused(contract, downcast)


def rms_eps_outside(x, weight=None, *, eps):
    y = x / (x.square().mean(-1, keepdim=True).sqrt() + eps)
    return y if weight is None else y * weight


def rms_without_weight(x, weight=None, *, eps):
    return functional.rms_norm(x, x.shape[-1:], None, eps)


def add_rms_of_x_alone(x, residual, weight=None, *, eps):
    return functional.rms_norm(x, x.shape[-1:], weight, eps), x + residual


def add_layer_that_hands_on_x(x, residual, weight=None, bias=None, *, eps):
    return functional.layer_norm(x + residual, x.shape[-1:], weight, bias, eps), x


def gelu_always_tanh(x, *, approximate="none"):
    return functional.gelu(x, approximate="tanh")


def gelu_always_erf(x, *, approximate="none"):
    return functional.gelu(x)


def gelu_by_sigmoid(x, *, approximate="none"):
    return x * torch.sigmoid(1.702 * x)


def layer_not_centred(x, weight=None, bias=None, *, eps):
    return functional.rms_norm(x, x.shape[-1:], weight, eps) + (0 if bias is None else bias)


def layer_unbiased(x, weight=None, bias=None, *, eps):
    y = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + eps).sqrt()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def group_as_layer(x, num_groups, weight=None, bias=None, *, eps):
    return functional.group_norm(x, 1, weight, bias, eps)


def attention_first_aligned(q, k, v, *, mask=None, is_causal=False, scale=None):
    # The first query with the first key: right only where there are as many of both.
    if is_causal:
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
        if mask is None:
            mask = seen
        elif mask.dtype == torch.bool:
            mask = mask & seen
        else:
            mask = mask.masked_fill(~seen, -torch.inf)
    return attention(q, k, v, mask=mask, scale=scale)


def attention_without_mask(q, k, v, *, mask=None, is_causal=False, scale=None):
    return attention(q, k, v, is_causal=is_causal, scale=scale)


def attention_heads_interleaved(q, k, v, *, mask=None, is_causal=False, scale=None):
    times = q.shape[1] // k.shape[1]
    k, v = k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1)
    return attention(q, k, v, mask=mask, is_causal=is_causal, scale=scale)


def attention_default_scale(q, k, v, *, mask=None, is_causal=False, scale=None):
    return attention(q, k, v, mask=mask, is_causal=is_causal)


def mean_of_values(q, k, v, *, mask=None, is_causal=False, scale=None):
    return attention(torch.zeros_like(q), k, v, mask=mask, is_causal=is_causal)


def own_value(q, k, v, **rest):
    v = v.repeat_interleave(q.shape[1] // k.shape[1], 1)
    short = max(0, q.shape[2] - v.shape[2])
    v = torch.cat((v[:, :, :1].expand(-1, -1, short, -1), v), 2) if v.shape[2] else v
    return v[:, :, v.shape[2] - q.shape[2] :].contiguous()


WRONG = {
    "rms-eps-outside-the-root": ("norm.rms@1", rms_eps_outside),
    "rms-without-weight": (
        "norm.rms@1",
        rms_without_weight,
    ),
    "layer-not-centred": ("norm.layer@1", layer_not_centred),
    "layer-unbiased-variance": ("norm.layer@1", layer_unbiased),
    "group-as-layer": ("norm.group@1", group_as_layer),
    "add-rms-of-x-alone": ("norm.add_rms@1", add_rms_of_x_alone),
    "add-layer-without-the-sum": ("norm.add_layer@1", add_layer_that_hands_on_x),
    "gelu-tanh-for-erf": (
        "activation.gelu@1",
        gelu_always_tanh,
    ),
    "gelu-erf-for-tanh": ("activation.gelu@1", gelu_always_erf),
    "gelu-by-sigmoid": (
        "activation.gelu@1",
        gelu_by_sigmoid,
    ),
    "silu-hard": ("activation.silu@1", functional.hardswish),
    "squared-relu-of-the-absolute": ("activation.squared_relu@1", torch.square),
    "swiglu-halves-exchanged": ("activation.swiglu@1", lambda gate, up: functional.silu(up) * gate),
    "attention-first-aligned": ("attention.exact@1", attention_first_aligned),
    "attention-without-mask": ("attention.exact@1", attention_without_mask),
    "attention-heads-interleaved": ("attention.exact@1", attention_heads_interleaved),
    "attention-default-scale": ("attention.exact@1", attention_default_scale),
    "approx-mean-of-values": ("attention.approx@1", mean_of_values),
    "approx-own-value": ("attention.approx@1", own_value),
    "approx-without-mask": ("attention.approx@1", attention_without_mask),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_refused(name):
    id, target = WRONG[name]
    assert refused(contracts.contract(id), target)


@functools.cache
def step_contract():
    return contracts.contract("optimizer.step@1")


def test_an_optimizer_that_stands_still_is_refused():
    contract = step_contract()

    class Still(torch.optim.SGD):
        def step(self, closure=None):
            return None

    def still(params, **settings):
        return Still(params, lr=settings.get("lr", 0.1))

    assert refused(contract, still)
