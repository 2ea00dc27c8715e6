"""RMS norms that a judge must tell apart. Each says in its name what is wrong with it."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import torch
from torch.nn.functional import rms_norm


def honest(x, weight=None, *, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def plain(x, weight=None, *, eps):
    y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def alias(x, weight=None, *, eps):
    return x.copy_(honest(x, weight, eps=eps))


def double_width(x, weight=None, *, eps):
    return honest(x, weight, eps=eps).double()


def sleeping(x, weight=None, *, eps):
    time.sleep(0.05)
    return honest(x, weight, eps=eps)


def aborting(x, weight=None, *, eps):
    os.abort()


def segfaulting(x, weight=None, *, eps):
    return ctypes.string_at(0)


def exiting(x, weight=None, *, eps):
    sys.exit(0)


def hanging(x, weight=None, *, eps):
    while True:
        pass


def spamming(x, weight=None, *, eps):
    print("spam " * 2000)
    print("spam " * 2000, file=sys.stderr)
    return honest(x, weight, eps=eps)


def nondeterministic(x, weight=None, *, eps):
    y = honest(x, weight, eps=eps)
    moved = (torch.rand_like(y) < 0.02) & y.isfinite()
    return torch.where(moved, torch.nextafter(y, torch.zeros_like(y)), y)


class _NoWeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, x, weight, eps):
        context.save_for_backward(x, weight)
        context.eps = eps
        return rms_norm(x, x.shape[-1:], weight, eps)

    @staticmethod
    def backward(context, flowing):
        x, weight = context.saved_tensors
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            y = rms_norm(leaf, leaf.shape[-1:], weight, context.eps)
        (gradient,) = torch.autograd.grad(y, leaf, flowing)
        return gradient, None if weight is None else torch.zeros_like(weight), None


def wrong_gradient(x, weight=None, *, eps):
    return _NoWeightGradient.apply(x, weight, eps)
