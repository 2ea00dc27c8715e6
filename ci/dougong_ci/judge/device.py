"""Where operators are judged: the judge's buffers there, its caches, its name and its limits.

On a CUDA device the buffers are the judge's own allocations, which a runner opens by handle, and
everything else is as on the processor: the clock is the judge's, around the flag, and the runner
waits for the whole device before it answers, so that events and streams have nothing to say.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from dougong import hardware
from dougong.contracts.definition import Cost
from dougong.errors import DougongError
from dougong_ci.judge import host
from dougong_ci.judge.memory import shared_bytes
from dougong_ci.report.verdict import DEVICES
from dougong_ci.runner import cuda
from dougong_ci.runner.device import mapped

_FLUSH_BYTES = 256 << 20
"""Five times the L2 cache of the largest device of 2026."""
_CLOCKS = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw")


class DeviceError(DougongError):
    """The device named is not there."""


@dataclasses.dataclass(slots=True)
class Block:
    """Memory that the judge owns and a runner may open."""

    tensor: Tensor
    """The judge's view: flat uint8 on the device."""
    fd: int
    """The file behind it, to be sent; empty where the memory is the device's. The owner closes."""
    handle: str = ""
    """Hexadecimal, for devices whose memory has handles."""
    address: int = 0

    def free(self) -> None:
        """Give the device's memory back, once whoever opened it is gone."""
        if self.address:
            cuda.runtime().free(self.address)
            self.address = 0


class Device(Protocol):
    """What the judge needs of a processor."""

    name: str
    """Its `torch.device` type."""

    def block(self, size: int) -> Block:
        """Make a block that a runner can open."""

    def before_call(self) -> None:
        """Bring caches into the same state before every call of every party."""

    def hardware_class(self) -> str:
        """Return the name under which times are comparable."""

    def fingerprint(self) -> dict[str, Any]:
        """Return what a reader must know to compare."""

    def clocks(self) -> dict[str, float]:
        """Return the clocks of now; empty where nobody says."""

    def floor_us(self, cost: Cost) -> float:
        """Return the time below which no implementation can be, by the best this host showed."""


class Cpu:
    """The machine's own processor."""

    name = "cpu"

    def block(self, size: int) -> Block:
        """Make a nameless file in memory."""
        fd = shared_bytes(size)
        return Block(mapped(fd), fd)

    def before_call(self) -> None:
        """Nothing: the inputs were just written, as warm for one party as for another."""

    def hardware_class(self) -> str:
        """Return `cpu-<model>-<cores>c`."""
        return hardware.hardware_class()

    def fingerprint(self) -> dict[str, Any]:
        """Return processor, memory and software."""
        return host.fingerprint()

    def clocks(self) -> dict[str, float]:
        """Nothing: a virtual machine does not say."""
        return {}

    def floor_us(self, cost: Cost) -> float:
        """By one thread's best bandwidth and arithmetic."""
        return host.floor_us(cost)


class Cuda:
    """One CUDA device, seen from the judge's own process on it."""

    name = "cuda"

    def __init__(self) -> None:
        self._runtime = cuda.runtime()
        self._flushed = torch.empty(_FLUSH_BYTES, dtype=torch.uint8, device="cuda")

    def block(self, size: int) -> Block:
        """Make a block that a runner can open by its handle."""
        address, handle = self._runtime.allocate(size)
        return Block(cuda.bytes_at(address, max(size, 1)), shared_bytes(0), handle.hex(), address)

    def before_call(self) -> None:
        """Push everything out of the L2 cache, and wait until the device is idle."""
        self._flushed.zero_()
        self._runtime.synchronize()

    def hardware_class(self) -> str:
        """Return `cuda-<model>`."""
        name = re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name().lower()).strip("-")
        return f"cuda-{name}"

    def fingerprint(self) -> dict[str, Any]:
        """Return the device beside the machine it sits in."""
        properties = torch.cuda.get_device_properties(0)
        return {
            **host.fingerprint(),
            "gpu": properties.name,
            "gpu_memory_bytes": properties.total_memory,
            "gpu_processors": properties.multi_processor_count,
            "cuda": torch.version.cuda,
            "driver": _query("driver_version").get("driver_version", ""),
            **self._probes(),
        }

    def clocks(self) -> dict[str, float]:
        """Return clocks in MHz, temperature in °C and power in W, as the driver tells them."""
        return {name: float(value) for name, value in _query(*_CLOCKS).items() if _number(value)}

    def floor_us(self, cost: Cost) -> float:
        """By the device's best bandwidth and arithmetic."""
        best = self._probes()
        return 1e6 * max(cost.bytes / best["gpu_bytes_per_s"], cost.flops / best["gpu_flops_per_s"])

    @functools.cache  # noqa: B019 - one device lives as long as the judge
    def _probes(self) -> dict[str, float]:
        """Measure what the device can move and multiply at best: bytes and operations a second."""
        source = torch.ones(1 << 28, dtype=torch.uint8, device="cuda")
        target = torch.empty_like(source)
        moved = 2 * source.numel() / self._best(lambda: target.copy_(source))
        size = 8192
        # In half precision, by tensor cores: nothing on the device computes faster.
        square = torch.ones(size, size, dtype=torch.float16, device="cuda")
        flops = 2 * size**3 / self._best(lambda: square @ square)
        return {"gpu_bytes_per_s": moved, "gpu_flops_per_s": flops}

    def _best(self, work: Callable[[], object]) -> float:
        times = []
        for _ in range(7):
            self._runtime.synchronize()
            begin = time.perf_counter()
            work()
            self._runtime.synchronize()
            times.append(time.perf_counter() - begin)
        return min(times)


@functools.cache
def device(name: str) -> Device:
    """Return a device by name.

    Raises:
        DeviceError: there is no such device, or none on this machine.
    """
    if name == "cpu":
        return Cpu()
    if name != "cuda":
        raise DeviceError(f"device must be one of {', '.join(DEVICES)}, got {name!r}")
    try:
        return Cuda()
    except cuda.CudaError as error:
        raise DeviceError(f"cannot judge on cuda: {error}") from error


def _query(*names: str) -> dict[str, str]:
    """Ask the driver's own tool; nothing where it is not there."""
    command = ["nvidia-smi", "-i", "0", f"--query-gpu={','.join(names)}"]
    try:
        done = subprocess.run(
            [*command, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    values = (part.strip() for part in done.stdout.strip().split(","))
    return dict(zip(names, values, strict=False))


def _number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
