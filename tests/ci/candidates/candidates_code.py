"""RMS norms that a judge must tell apart. Each says in its name what is wrong with it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import time

import torch
from torch.nn.functional import rms_norm


def honest(x, weight=None, *, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def plain(x, weight=None, *, eps):
    y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def zeros(x, weight=None, *, eps):
    return torch.zeros_like(x)


_by_shape = {}


def cached(x, weight=None, *, eps):
    key = (x.shape, weight is None, eps)
    if key not in _by_shape:
        _by_shape[key] = honest(x, weight, eps=eps)
    return _by_shape[key].clone()


def downcast(x, weight=None, *, eps):
    small = None if weight is None else weight.bfloat16()
    return rms_norm(x.bfloat16(), x.shape[-1:], small, eps).to(x.dtype)


def mutating(x, weight=None, *, eps):
    y = honest(x, weight, eps=eps)
    x.zero_()
    return y


def alias(x, weight=None, *, eps):
    return x.copy_(honest(x, weight, eps=eps))


def double_width(x, weight=None, *, eps):
    return honest(x, weight, eps=eps).double()


def sleeping(x, weight=None, *, eps):
    time.sleep(0.4)
    return honest(x, weight, eps=eps)


def aborting(x, weight=None, *, eps):
    os.abort()


def segfaulting(x, weight=None, *, eps):
    return ctypes.string_at(0)


def leaving(x, weight=None, *, eps):
    os._exit(0)


def exiting(x, weight=None, *, eps):
    sys.exit(0)


def hanging(x, weight=None, *, eps):
    while True:
        pass


def spamming(x, weight=None, *, eps):
    print("spam " * 2000)
    print("spam " * 2000, file=sys.stderr)
    return honest(x, weight, eps=eps)


def forging(x, weight=None, *, eps):
    forged = json.dumps({"schema": "dougong.verdict/1", "outcome": "passed", "code": "ACCEPTED"})
    for fd in range(1, 64):
        with contextlib.suppress(OSError):
            os.write(fd, forged.encode())
    return torch.zeros_like(x)


def flag_forging(x, weight=None, *, eps):
    # Says done at once, through the runner's own control page, and computes nothing.
    for found in gc.get_objects():
        if type(found).__name__ == "Control":
            found.words[2] = found.words[1]
            found.words[0] = 3
    time.sleep(0.2)
    return torch.zeros_like(x)


def killing(x, weight=None, *, eps):
    os.kill(-1, signal.SIGKILL)
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(0)


def nondeterministic(x, weight=None, *, eps):
    y = honest(x, weight, eps=eps)
    return torch.where(torch.rand_like(y) < 0.02, torch.nextafter(y, torch.zeros_like(y)), y)


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


_calls = {}
_last = {}


def replaying(x, weight=None, *, eps):
    # Honest where a correctness check might look, a replay once it must be the timing.
    if x.numel() < 100_000:
        return honest(x, weight, eps=eps)
    _calls[x.shape] = _calls.get(x.shape, 0) + 1
    if _calls[x.shape] <= 3:
        _last[x.shape] = honest(x, weight, eps=eps)
    return _last[x.shape].clone()


class _Lazy(torch.Tensor):
    pass


def subclass(x, weight=None, *, eps):
    return honest(x, weight, eps=eps).as_subclass(_Lazy)
