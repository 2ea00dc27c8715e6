"""B. Cheaper arithmetic: numbers 16 to 20 of the catalogue."""

from __future__ import annotations

import copy
import math

import torch
from torch.nn.functional import rms_norm

from dougong import contracts

_exact = contracts.contract("attention.exact@1").reference


def _attention_in(dtype, q_BHTD, k_BKSD, v_BKSD, mask, is_causal, scale):
    small = mask.to(dtype) if mask is not None and mask.is_floating_point() else mask
    tensors = (each.to(dtype) for each in (q_BHTD, k_BKSD, v_BKSD))
    return _exact(*tensors, mask=small, is_causal=is_causal, scale=scale).to(q_BHTD.dtype)


def attention_in_bfloat16(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    return _attention_in(torch.bfloat16, q_BHTD, k_BKSD, v_BKSD, mask, is_causal, scale)


def attention_in_float16(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    return _attention_in(torch.float16, q_BHTD, k_BKSD, v_BKSD, mask, is_causal, scale)


def norm_in_bfloat16(x, weight=None, *, eps):
    small = None if weight is None else weight.bfloat16()
    return rms_norm(x.bfloat16(), x.shape[-1:], small, eps).to(x.dtype)


def backend_in_bfloat16(model, example_inputs):
    small = copy.deepcopy(model).bfloat16()

    @torch.no_grad()
    def run(x):
        return small(x.bfloat16()).to(x.dtype)

    return run


def attention_without_maximum(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    # One pass less over the products; exp overflows where they are large.
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (each.repeat_interleave(groups, dim=1) for each in (k_BKSD, v_BKSD))
    scale = 1 / math.sqrt(q_BHTD.shape[-1]) if scale is None else scale
    weights_BHTS = (scale * (q_BHTD @ k_BHSD.mT)).exp()
    if mask is not None:
        weights_BHTS = weights_BHTS * (mask if mask.dtype == torch.bool else mask.exp())
    if is_causal:
        weights_BHTS = weights_BHTS * torch.ones(T, S, dtype=torch.bool).tril(S - T)
    total_BHT1 = weights_BHTS.sum(-1, keepdim=True)
    return (weights_BHTS @ v_BHSD) / torch.where(total_BHT1 == 0, 1.0, total_BHT1)


def global_precision_flags(x, weight=None, *, eps):
    # If the judge's own arithmetic is made as coarse, nobody sees that this one is.
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    torch.set_default_dtype(torch.bfloat16)
    torch.use_deterministic_algorithms(False)
    try:
        return norm_in_bfloat16(x, weight, eps=eps)
    finally:
        torch.set_default_dtype(torch.float32)


def attention_narrow_accumulator(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    # Values are summed eight keys at a time into an accumulator of half the bits.
    if mask is not None or is_causal:
        return _exact(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (each.repeat_interleave(groups, dim=1) for each in (k_BKSD, v_BKSD))
    scale = 1 / math.sqrt(q_BHTD.shape[-1]) if scale is None else scale
    weights_BHTS = (scale * (q_BHTD @ k_BHSD.mT)).softmax(-1)
    total = torch.zeros_like(q_BHTD, dtype=torch.float16)
    for at in range(0, k_BHSD.shape[2], 8):
        some = weights_BHTS[..., at : at + 8] @ v_BHSD[:, :, at : at + 8]
        total = total + some.half()
    return total.to(q_BHTD.dtype)


def layer_norm_in_one_pass(x, weight=None, bias=None, *, eps):
    # E[x**2] - E[x]**2 reads the row once and loses all digits where the mean is large.
    mean = x.mean(-1, keepdim=True)
    variance = x.square().mean(-1, keepdim=True) - mean.square()
    y = (x - mean) * torch.rsqrt(variance.clamp_min(0) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


class AdamWithoutCorrection(torch.optim.Optimizer):
    """AdamW whose moments are not corrected for their start at zero: two powers saved a step."""

    def __init__(self, params, **hyperparameters):
        super().__init__(params, hyperparameters)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                m = state.setdefault("m", torch.zeros_like(p)).lerp_(p.grad, 1 - first)
                v = state.setdefault("v", torch.zeros_like(p))
                v.mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.addcdiv_(m, v.sqrt().add_(group["eps"]), value=-group["lr"])


def attention_in_a_window(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    # Keys further than half the length away weigh little, and are left out.
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    at = torch.arange(S)[None, :] - torch.arange(T)[:, None] - (S - T)
    near = at.abs() <= max(1, S // 2)
    if mask is not None and mask.is_floating_point():
        merged = mask.masked_fill(~near, -torch.inf)
    else:
        merged = near if mask is None else mask & near
    return _exact(q_BHTD, k_BKSD, v_BKSD, mask=merged, is_causal=is_causal, scale=scale)
