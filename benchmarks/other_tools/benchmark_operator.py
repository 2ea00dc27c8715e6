"""The script that `kernels benchmark` runs for one operator of the corpus.

It is copied into `benchmarks/` of a local kernel repository, beside `operator.json`. Every workload
of the contract is one of the tool's: `setup_*` draws its inputs, `benchmark_*` calls the kernel,
and `verify_*` computes the same with the contract's torch baseline, on copies that the kernel was
never given. How the two are compared, and what is timed, is the tool's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from kernels.benchmark import Benchmark

from dougong import contracts
from dougong.operator import resolve

_ABOUT: dict[str, Any] = json.loads(Path(__file__).with_name("operator.json").read_text())
_SEED = int(_ABOUT["seed"])
_CONTRACT = contracts.contract(_ABOUT["contract"])
_BASELINE = resolve(next(iter(_CONTRACT.baselines.values())))


class Operator(Benchmark):
    """One operator; its methods are added below, one set a workload."""


def _joined(outputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return what the tool compares, which is one tensor."""
    if len(outputs) == 1:
        return outputs[0]
    return torch.cat([output.reshape(-1) for output in outputs])


def _copied(tensors: Any) -> dict[str, torch.Tensor | None]:
    return {name: None if value is None else value.clone() for name, value in tensors.items()}


def _methods(workload: Any) -> dict[str, Callable[[Any], Any]]:
    def setup(self: Any) -> None:
        case = _CONTRACT.generate(workload, _SEED, torch.float32)
        self.given, self.kept = case.tensors, _copied(case.tensors)
        self.target = _CONTRACT.bind(getattr(self.kernel, _ABOUT["target"]), case)
        self.baseline = _CONTRACT.bind(_BASELINE, case)

    def benchmark(self: Any) -> None:
        self.out = _joined(self.target(self.given))

    def verify(self: Any) -> torch.Tensor:
        return _joined(self.baseline(self.kept))

    return {"setup": setup, "benchmark": benchmark, "verify": verify}


for _workload in (*_CONTRACT.workloads, *_CONTRACT.hidden(_SEED)):
    if _workload.name in _ABOUT["workloads"]:
        for _kind, _method in _methods(_workload).items():
            setattr(Operator, f"{_kind}_{_ABOUT['workloads'][_workload.name]}", _method)
