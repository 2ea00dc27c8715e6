"""Compiles the kernels into the wheel where there is a C++ compiler, and carries on where not."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fopenmp",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
)
PORTABLE = {"portable": ("-DWIDTH=4",)}
AVX512 = (
    "-DWIDTH=16",
    "-mavx512f",
    "-mavx512bw",
    "-mavx512dq",
    "-mavx512vl",
    "-mfma",
    "-mprefer-vector-width=512",
)
X86 = {
    "avx2": ("-DWIDTH=8", "-mavx2", "-mfma"),
    "avx512": AVX512,
    "avx512_bf16": (*AVX512, "-mavx512bf16"),
}
LIBRARY = "libdougong_kernels.so"


class KernelsHook(BuildHookInterface):  # type: ignore[misc]  # hatchling leaves it generic
    """Puts the shared library beside the package's modules and marks the wheel for this machine."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library; without a compiler say so in one line and leave it out."""
        if self.target_name != "wheel":
            return
        package = Path(self.root, "dougong_kernels")
        compiler = _compiler()
        if compiler is None:
            (package / LIBRARY).unlink(missing_ok=True)
            self.app.display_warning(
                "dougong-kernels: no C++ compiler found, so it runs in plain PyTorch, slower"
            )
            return
        if not _is_current(package / LIBRARY, package / "src"):
            compile_library(compiler, package / "src", package / LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().translate(_TAG)}"
        build_data["artifacts"].append(f"dougong_kernels/{LIBRARY}")


_TAG = str.maketrans("-.", "__")


def _is_current(library: Path, sources: Path) -> bool:
    """Say whether a library was made after all that it is made from, as make would."""
    made_from = [*sources.iterdir(), Path(__file__)]
    return library.is_file() and all(
        path.stat().st_mtime < library.stat().st_mtime for path in made_from
    )


def compile_library(compiler: str, sources: Path, target: Path) -> None:
    """Compile every level with its own flags, at once, and link them.

    Raises:
        RuntimeError: the compiler refuses a source; the message holds its first lines.
    """
    levels = {**PORTABLE, **(X86 if platform.machine() in ("x86_64", "AMD64") else {})}
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {"dispatch": (sources / "dispatch.cpp", ("-fvisibility=default",))}
        for name, flags in levels.items():
            jobs[name] = (sources / "level.cpp", (f"-DLEVEL={name}", *flags))
        objects = [str(Path(scratch, f"{name}.o")) for name in jobs]
        commands = [
            [compiler, *FLAGS, *flags, "-c", str(source), "-o", made]
            for made, (source, flags) in zip(objects, jobs.values(), strict=True)
        ]
        for _ in pool.map(_run, commands):
            pass
        partial = target.with_suffix(f".{os.getpid()}")
        _run([compiler, "-shared", "-fopenmp", "-s", "-o", str(partial), *objects])
        partial.replace(target)  # whole or not at all, also where two builds meet


def _compiler() -> str | None:
    asked = os.environ.get("CXX")
    names = (asked,) if asked else ("g++", "clang++", "c++")
    return next((path for name in names if (path := shutil.which(name))), None)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} could not build the kernels: {done.stderr[:2000]}")


if __name__ == "__main__":
    found = _compiler()
    if found is None:
        sys.exit("no C++ compiler found; install g++ or set CXX")
    here = Path(__file__).parent / "dougong_kernels"
    compile_library(found, here / "src", here / LIBRARY)
