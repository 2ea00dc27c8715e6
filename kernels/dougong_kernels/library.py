"""The shared library beside this module: found, its level chosen, its functions called.

The library knows nothing of Python or torch: it takes structs of pointers, sizes and strides. Its
threads are OpenMP's, which torch has loaded already, so that both share one pool of threads and
never spin against each other.
"""

from __future__ import annotations

import ctypes
import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

PATH = Path(__file__).with_name("libdougong_kernels.so")
LEVEL_VARIABLE = "DOUGONG_KERNELS_LEVEL"
"""`portable`, `avx2`, `avx512` or `avx512_bf16`; unset for the best that this processor has."""

_Strides = ctypes.c_int64 * 3


class Attention(ctypes.Structure):
    """`Attention` of `src/interface.h`, where the fields are explained."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("q", "k", "v", "out", "lse")),
        *((name, ctypes.c_int64) for name in "BHKTSDE"),
        *((f"{name}_strides", _Strides) for name in ("q", "k", "v", "out")),
        ("scale", ctypes.c_float),
        *((name, ctypes.c_int32) for name in ("is_causal", "is_bfloat16", "threads")),
        *((name, ctypes.c_void_p) for name in ("blocks", "counts")),
        *((name, ctypes.c_int64) for name in ("J", "key_block")),
        ("scratch", ctypes.c_void_p),
        ("parts", ctypes.c_int64),
    )


class AttentionBackward(ctypes.Structure):
    """`AttentionBackward` of `src/interface.h`."""

    _fields_ = (
        ("forward", Attention),
        *((name, ctypes.c_void_p) for name in ("dout", "dq", "dk", "dv")),
        ("splits", ctypes.c_int64),
    )


class Selection(ctypes.Structure):
    """`Selection` of `src/interface.h`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in "qk"),
        *((name, ctypes.c_int64) for name in "BHKTSD"),
        *((f"{name}_strides", _Strides) for name in "qk"),
        ("keep", ctypes.c_double),
        ("scale", ctypes.c_float),
        *((name, ctypes.c_int32) for name in ("is_causal", "is_bfloat16", "threads")),
        *((name, ctypes.c_void_p) for name in ("index", "count")),
        ("J", ctypes.c_int64),
    )


class Pages(ctypes.Structure):
    """`Pages` of `src/interface.h`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("q", "low", "high")),
        *((name, ctypes.c_int64) for name in (*"BHKTDM", "capacity", "J")),
        ("q_strides", _Strides),
        *((name, ctypes.c_int32) for name in ("is_bfloat16", "threads")),
        ("index", ctypes.c_void_p),
    )


class _Probe(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("kind", "threads")),
        ("data", ctypes.c_void_p),
        ("n", ctypes.c_int64),
    )


class Kernels:
    """The functions of one level.

    Attributes:
        level: Instruction set: `portable`, `avx2`, `avx512` or `avx512_bf16`.
    """

    def __init__(self, library: ctypes.CDLL, level: int) -> None:
        self._library, self._level = library, level
        library.dougong_level_name.restype = ctypes.c_char_p
        self.level: str = library.dougong_level_name(ctypes.c_void_p(level)).decode()

    def function(self, name: str) -> Callable[[bytes], None]:
        """Return a function of this level that takes its struct as packed bytes."""
        found = self._library[f"dougong_{name}"]
        found.argtypes, found.restype = (ctypes.c_void_p, ctypes.c_char_p), None
        return functools.partial(found, self._level)

    def attention(self, arguments: Attention) -> None:
        """Exact attention, or attention to the listed blocks."""
        self._library.dougong_attention(ctypes.c_void_p(self._level), ctypes.byref(arguments))

    def decode(self, arguments: Attention) -> None:
        """Attention of few queries to many keys."""
        self._library.dougong_decode(ctypes.c_void_p(self._level), ctypes.byref(arguments))

    def select(self, arguments: Selection) -> None:
        """Choice of blocks of keys."""
        self._library.dougong_select(ctypes.c_void_p(self._level), ctypes.byref(arguments))

    def pages(self, arguments: Pages) -> None:
        """Choice of pages of a cache."""
        self._library.dougong_pages(ctypes.c_void_p(self._level), ctypes.byref(arguments))

    def probe(self, kind: str, *, threads: int, n: int, data: Tensor | None = None) -> float:
        """Do work that nothing but the processor limits, for the caller to time.

        Args:
            kind: `float32` or `bfloat16` for sums of products, `stream` to read `data` once.
            threads: How many.
            n: Steps a thread, or numbers to read.
            data: float32, dense.

        Returns:
            Operations or bytes done; 0 where the level has no instruction for it.
        """
        found = self._library.dougong_probe
        found.restype = ctypes.c_double
        arguments = _Probe(
            kind=("float32", "bfloat16", "stream").index(kind),
            threads=threads,
            data=None if data is None else data.data_ptr(),
            n=n,
        )
        done: float = found(ctypes.c_void_p(self._level), ctypes.byref(arguments))
        return done

    def backward(self, arguments: AttentionBackward) -> None:
        """Gradients of exact attention."""
        self._library.dougong_attention_backward(
            ctypes.c_void_p(self._level), ctypes.byref(arguments)
        )


@functools.cache
def kernels() -> Kernels | None:
    """Return the kernels at the level to use, or None where this install has no library.

    Warns once, in one line, that attention is then slower.

    Raises:
        ValueError: `DOUGONG_KERNELS_LEVEL` names a level that this processor cannot run.
    """
    if reason := missing():
        warnings.warn(
            f"dougong-kernels: {reason}; its operators run in plain PyTorch, as fast as torch's "
            "own; install a C++ compiler and then dougong-kernels again",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    library = ctypes.CDLL(str(PATH))
    library.dougong_level.restype = ctypes.c_void_p
    wanted = os.environ.get(LEVEL_VARIABLE, "")
    level = library.dougong_level(ctypes.c_char_p(wanted.encode() or None))
    if not level:
        raise ValueError(
            f"{LEVEL_VARIABLE} must be portable, avx2, avx512 or avx512_bf16, and this processor "
            f"must have it, got {wanted!r}; unset it for the best there is"
        )
    return Kernels(library, level)


@functools.cache
def missing() -> str | None:
    """Return why the library cannot be used, or None if it can."""
    if not PATH.is_file():
        return "built without a C++ compiler"
    try:
        ctypes.CDLL(str(PATH))
    except OSError as error:
        return f"the library does not load ({error})"
    return None


def strides_of(tensor: Tensor) -> ctypes.Array[ctypes.c_int64]:
    """Return the strides of batch, head and position, in elements."""
    return _Strides(*tensor.stride()[:3])


def described(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    out_BHTE: Tensor,
    *,
    is_causal: bool,
    scale: float,
    lse_BHT: Tensor | None = None,
) -> Attention:
    """Fill in what every kernel asks for; the caller keeps the tensors alive.

    Args:
        q_BHTD: Queries, float32 or bfloat16; the last dimension dense, as in all the others.
        k_BKSD: Keys.
        v_BKSE: Values.
        out_BHTE: Where the result goes.
        is_causal: As in the contract.
        scale: Factor of the products.
        lse_BHT: Where the logarithms of the sums of weights go, float32, or None.
    """
    B, H, T, D = q_BHTD.shape
    K, S = k_BKSD.shape[1:3]
    strides = {
        f"{name}_strides": strides_of(tensor)
        for name, tensor in (("q", q_BHTD), ("k", k_BKSD), ("v", v_BKSE), ("out", out_BHTE))
    }
    return Attention(
        q=q_BHTD.data_ptr(),
        k=k_BKSD.data_ptr(),
        v=v_BKSE.data_ptr(),
        out=out_BHTE.data_ptr(),
        lse=None if lse_BHT is None else lse_BHT.data_ptr(),
        B=B,
        H=H,
        K=K,
        T=T,
        S=S,
        D=D,
        E=v_BKSE.shape[-1],
        scale=scale,
        is_causal=is_causal,
        is_bfloat16=q_BHTD.dtype == torch.bfloat16,
        threads=torch.get_num_threads(),
        **strides,
    )
