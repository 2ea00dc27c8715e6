"""Honest operators: none may be refused, however unusual."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch.nn.functional import rms_norm

from dougong import contracts

torch_attention = contracts.contract("attention.exact@1").reference


def torch_op(x, weight=None, *, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def plain(x, weight=None, *, eps):
    y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def slow_but_right(x, weight=None, *, eps):
    for _ in range(2):
        y = plain(x.double(), None if weight is None else weight.double(), eps=eps)
    return y.to(x.dtype)


_SOURCE = """
#include <cmath>
extern "C" void rms(const float* x, const float* w, float* y, long rows, long n, double eps) {
    for (long r = 0; r < rows; ++r, x += n, y += n) {
        double sum = 0;
        for (long i = 0; i < n; i += 16) {
            float some = 0;
            for (long j = i; j < (i + 16 < n ? i + 16 : n); ++j) some += x[j] * x[j];
            sum += some;
        }
        const float s = float(1.0 / std::sqrt(sum / n + eps));
        for (long i = 0; i < n; ++i) y[i] = (x[i] * s) * (w ? w[i] : 1.0f);
    }
}
"""
_FLAGS = ("-O3", "-march=native", "-shared", "-fPIC", "-x", "c++", "-")


def _library():
    """Compile once; later processes find it in the cache under the hash of what it is made of."""
    key = hashlib.sha256("".join((_SOURCE, *_FLAGS)).encode()).hexdigest()[:16]
    path = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / f"rms-{key}.so"
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["g++", *_FLAGS, "-o", made], input=_SOURCE, text=True, check=True)
        made.rename(path)
    library = ctypes.CDLL(str(path))
    library.rms.argtypes = [*[ctypes.c_void_p] * 3, *[ctypes.c_long] * 2, ctypes.c_double]
    return library


_loaded = None


def compiled_by_gxx(x, weight=None, *, eps):
    global _loaded
    _loaded = _loaded or _library()
    x = x.contiguous()
    y = torch.empty_like(x)
    gain = None if weight is None else weight.contiguous().data_ptr()
    width = x.shape[-1]
    _loaded.rms(x.data_ptr(), gain, y.data_ptr(), x.numel() // width, width, eps)
    return y


_compiled = None


def compiled_by_torch(x, weight=None, *, eps):
    global _compiled
    _compiled = _compiled or torch.compile(plain, dynamic=True)
    return _compiled(x, weight, eps=eps)


def numpy_kernel(x, weight=None, *, eps):
    import numpy as np

    values = x.numpy()
    y = values / np.sqrt(np.square(values).mean(-1, keepdims=True, dtype=np.float64) + eps)
    return (
        torch.from_numpy(y.astype(np.float32))
        if weight is None
        else torch.from_numpy(y.astype(np.float32)) * weight
    )


def joined_threads(x, weight=None, *, eps):
    if x.ndim < 2 or len(x) < 2:
        return torch_op(x, weight, eps=eps)
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(lambda part: torch_op(part, weight, eps=eps), x.chunk(2))
        return torch.cat(list(halves))


def lazy_import(x, weight=None, *, eps):
    import fractions
    import xml.dom.minidom  # noqa: F401 - something that takes a while

    return torch_op(x, weight, eps=float(fractions.Fraction(eps)))


def big_memory(x, weight=None, *, eps):
    scratch = torch.empty(50_000_000)
    scratch[::1_000_000] = 0
    return torch_op(x, weight, eps=eps)


def printing(x, weight=None, *, eps):
    print("spam " * 2000)
    return torch_op(x, weight, eps=eps)


_workspace = {}


def workspace_by_shape(x, weight=None, *, eps):
    # Scratch is kept, results are new.
    square = _workspace.setdefault(x.shape, torch.empty_like(x))
    torch.mul(x, x, out=square)
    y = x * torch.rsqrt(square.mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def other_strides(x, weight=None, *, eps):
    if x.ndim < 2:
        return torch_op(x, weight, eps=eps)
    return torch_op(x, weight, eps=eps).mT.contiguous().mT


def lazily_negated(x, weight=None, *, eps):
    # A view that is negated when read, which the runner does within the clock.
    return torch._neg_view(-torch_op(x, weight, eps=eps))


def pausing_at_first(x, weight=None, *, eps):
    # Tunes itself at the first call of a shape, as a JIT does.
    if x.shape not in _tuned:
        _tuned.add(x.shape)
        time.sleep(0.05)
    return torch_op(x, weight, eps=eps)


_tuned = set()


def silu(x):
    return torch.nn.functional.silu(x)


adamw = torch.optim.AdamW


def eager(model, example_inputs):
    return torch.no_grad()(model)
