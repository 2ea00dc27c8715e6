"""Operators of the tests: right ones, and ones that are wrong in one way each."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 # the usual name of it

import dougong

CALLS: list[str] = []
"""Names of the operators called, in order."""


def rms(x, weight=None, *, eps):
    CALLS.append("rms")
    return F.rms_norm(x, x.shape[-1:], weight, eps)


def rms_other(x, weight=None, *, eps):
    CALLS.append("rms_other")
    return F.rms_norm(x, x.shape[-1:], weight, eps)


def rms_quiet(x, weight=None, *, eps):
    return F.rms_norm(x, x.shape[-1:], weight, eps)


def rms_wrong(x, weight=None, *, eps):
    return 1.001 * F.rms_norm(x, x.shape[-1:], weight, eps)


def rms_no_gradient(x, weight=None, *, eps):
    with torch.no_grad():
        return F.rms_norm(x, x.shape[-1:], weight, eps)


def rms_wrong_gradient(x, weight=None, *, eps):
    return F.rms_norm(x.detach(), x.shape[-1:], weight, eps) + 0 * x


def rms_wrong_signature(x, weight):
    return x * weight


def rms_raising(x, weight=None, *, eps):
    raise RuntimeError("no kernel for this shape")


def _made():
    def rms(x, weight=None, *, eps):
        return F.rms_norm(x, x.shape[-1:], weight, eps)

    return rms


rms_closure = _made()
"""Only its target can name it: its own qualified name leads nowhere."""


def layer(x, weight=None, bias=None, *, eps):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def group(x, num_groups, weight=None, bias=None, *, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def gelu(x, *, approximate="none"):
    return F.gelu(x, approximate=approximate)


def silu(x):
    return F.silu(x)


def squared_relu(x):
    return F.relu(x).square()


def swiglu(gate, up):
    return F.silu(gate) * up


def attention(q, k, v, *, mask=None, is_causal=False, scale=None):
    """Softmax attention as the contract defines it, with every mask."""
    groups = q.shape[1] // k.shape[1]
    k, v = (t.repeat_interleave(groups, dim=1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = (
            scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
        )
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device)
        scores = scores.masked_fill(~seen.tril(k.shape[2] - q.shape[2]), float("-inf"))
    return scores.softmax(-1).nan_to_num(0.0) @ v


def attention_deaf_to_masks(q, k, v, *, mask=None, is_causal=False, scale=None):
    return attention(q, k, v, scale=scale)


class Sgd(torch.optim.SGD):
    pass


def not_an_optimizer(params, lr=0.1):
    return lr


def eager_backend(model, example_inputs):
    return model


def doubled(model, *, calibration=None):
    import copy

    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(2)
    return other


def unchanged(model):
    return model


def _operator(name: str, contract: str, target: str = "", **rest) -> dougong.Operator:
    defaults = {"gradients": "second", "dtypes": ("float32", "bfloat16", "float64")}
    target = target or name.replace("-", "_")
    return dougong.Operator(
        name=f"t/{name}",
        contract=contract,
        target=target if ":" in target else f"swap_operators:{target}",
        **{**defaults, **rest},
    )


@dougong.hookimpl
def dougong_register_norm():
    rms_id = "norm.rms@1"
    return [
        _operator("rms", rms_id),
        _operator("rms-other", rms_id),
        _operator("rms-quiet", rms_id),
        _operator("rms-closure", rms_id),
        _operator("rms-wrong", rms_id),
        _operator("rms-no-gradient", rms_id, gradients="none", modes=("infer",)),
        _operator("rms-wrong-gradient", rms_id),
        _operator("rms-wrong-signature", rms_id),
        _operator("rms-raising", rms_id),
        _operator("rms-missing", rms_id, "swap_operators:no_such_thing"),
        _operator("rms-no-module", rms_id, "no_such_module_at_all:rms"),
        _operator("rms-cuda", rms_id, "rms", devices=("cuda",)),
        _operator("rms-bfloat16", rms_id, "rms", dtypes=("bfloat16",)),
        _operator("rms-needs", rms_id, "rms", requires=("no-such-distribution>=1",)),
        _operator("layer", "norm.layer@1"),
        _operator("group", "norm.group@1"),
    ]


@dougong.hookimpl
def dougong_register_activation():
    return [
        _operator("gelu", "activation.gelu@1"),
        _operator("gelu-none", "activation.gelu@1", "gelu", features=("approximate:none",)),
        _operator("silu", "activation.silu@1"),
        _operator("squared-relu", "activation.squared_relu@1"),
        _operator("swiglu", "activation.swiglu@1"),
    ]


@dougong.hookimpl
def dougong_register_attention():
    exact = "attention.exact@1"
    return [
        _operator("attention", exact),
        _operator("attention-deaf", exact, "attention_deaf_to_masks"),
        _operator("attention-causal", exact, "attention", features=("mask:causal", "gqa")),
        _operator("attention-no-gqa", exact, "attention", features=("mask:causal", "mask:none")),
        _operator("attention-approx", "attention.approx@1", "attention"),
    ]


@dougong.hookimpl
def dougong_register_optimizer():
    step = "optimizer.step@1"
    return [
        _operator("sgd", step, "Sgd", variant="sgd-momentum"),
        _operator("not-an-optimizer", step),
    ]


@dougong.hookimpl
def dougong_register_backend():
    return [_operator("eager", "backend.inference@1", "eager_backend")]


@dougong.hookimpl
def dougong_register_transform():
    return [
        _operator("doubled", "transform.quantize@1"),
        _operator("unchanged", "transform.quantize@1"),
    ]
