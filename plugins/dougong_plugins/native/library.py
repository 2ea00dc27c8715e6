"""Build a C++ source on first use, keep the result, and call its functions.

The sources know nothing of Python or torch: a function takes pointers, sizes and a number of
threads, so that a file compiles in about two seconds and depends on no version of anything. What
is built is tuned to this machine and kept in the user's cache under the hash of the source, the
command, the compiler and the processor; where that folder cannot be written, in one that lives as
long as the process.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import torch
from torch import Tensor

HEADERS = Path(__file__).parent
FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fopenmp",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-shared",
    "-fPIC",
)
X86_FLAGS = ("-mprefer-vector-width=512",)
GRAIN = 1 << 15
"""Fewest elements worth a further thread."""

_TYPES: dict[str, Any] = {
    "p": ctypes.c_void_p,
    "i": ctypes.c_int64,
    "f": ctypes.c_float,
    "t": ctypes.c_int,
}


class Library:
    """The functions of one C++ source, built when the first one is asked for.

    Args:
        source: The file; it may include the headers beside this module.
        signatures: Function name without its dtype -> its arguments, one letter each: p pointer,
            i int64, f float, t number of threads.
    """

    def __init__(self, source: Path, signatures: dict[str, str]) -> None:
        self._source = source
        self._signatures = signatures
        self._functions: dict[tuple[str, torch.dtype], Callable[..., None]] = {}
        self._lock = threading.Lock()
        self._handle: ctypes.CDLL | None = None

    def function(self, name: str, dtype: torch.dtype) -> Callable[..., None]:
        """Return the function `name_dtype`; it takes `Tensor.data_ptr()`s, None for absent ones.

        Raises:
            RuntimeError: there is no C++ compiler, or it refuses the source.
            TypeError: there is none for the dtype.
        """
        found = self._functions.get((name, dtype))
        return found or self._bind(name, dtype)

    def _bind(self, name: str, dtype: torch.dtype) -> Callable[..., None]:
        if dtype not in (torch.float32, torch.bfloat16):
            raise TypeError(f"dtype must be torch.float32 or torch.bfloat16, got {dtype}")
        with self._lock:
            if self._handle is None:
                self._handle = ctypes.CDLL(str(build(self._source)))
        function = self._handle[f"{name}_{str(dtype).removeprefix('torch.')}"]
        function.argtypes = [_TYPES[letter] for letter in self._signatures[name]]
        function.restype = None
        self._functions[name, dtype] = function
        return function


def build(source: Path) -> Path:
    """Compile a source to a shared library, unless that was done before, and return its path.

    Raises:
        RuntimeError: there is no C++ compiler, or it refuses the source; the message holds its
            first lines.
    """
    command = [_compiler(), *FLAGS, *(X86_FLAGS if platform.machine() == "x86_64" else ())]
    command += [f"-I{HEADERS}"]
    target = _cache() / f"{source.stem}-{_fingerprint(source, command)}.so"
    if target.exists():
        return target
    partial = target.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    done = subprocess.run(
        [*command, "-o", str(partial), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} could not build {source.name}: {done.stderr[:2000]}")
    partial.replace(target)  # whole or not at all, also beside another process doing the same
    return target


def threads_for(elements: int) -> int:
    """Return how many threads a kernel over so many elements should use."""
    return max(1, min(torch.get_num_threads(), elements // GRAIN))


def pointer(tensor: Tensor | None) -> int | None:
    """Return the address of a contiguous tensor, or None."""
    return None if tensor is None else tensor.data_ptr()


def check_device(tensor: Tensor) -> None:
    """Refuse a tensor that the kernels cannot read.

    Raises:
        ValueError: the tensor is not on the CPU.
    """
    if tensor.device.type != "cpu":
        raise ValueError(f"this operator runs on the cpu, got a tensor on {tensor.device}")


def _compiler() -> str:
    asked = os.environ.get("CXX")
    names = (asked,) if asked else ("g++", "clang++", "c++")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(f"no C++ compiler among {', '.join(names)}; install one or set CXX")
    return found


def _fingerprint(source: Path, command: list[str]) -> str:
    version = subprocess.run([command[0], "--version"], capture_output=True, check=False).stdout
    parts = [version, " ".join(command).encode(), _processor()]
    parts += [path.read_bytes() for path in (source, *sorted(HEADERS.glob("*.h")))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]


def _processor() -> bytes:
    # What -march=native means may change under the same machine name, as in a cloud.
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()
    return b"".join(sorted({line for line in lines if line.startswith((b"flags", b"model name"))}))


@functools.cache
def _cache() -> Path:
    folder = platformdirs.user_cache_path("dougong") / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        # Read-only home, as in a sandbox: a private folder, removed at exit.
        temporary = tempfile.TemporaryDirectory(prefix="dougong-kernels-")
        atexit.register(temporary.cleanup)
        return Path(temporary.name)
