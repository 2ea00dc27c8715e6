"""`kernels benchmark`: a kernel repository's own benchmark, run by the Hugging Face Hub's tool."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from dougong import contracts
from dougong.contracts.definition import Contract, Workload
from dougong.operator import resolve
from other_tools.contained import OUT, Done, run

_REFERENCE = re.compile(r"^  (\w+): [\d.]+x faster \(.* vs ref ([\d.]+)ms\)", re.MULTILINE)
_REFUSED = re.compile(r"Verification failed for (\w+)")
"""Not at the start of a line: some cheats write to every descriptor first."""
_ATOL, _RTOL = 1e-2, 1e-5
"""Those of the tool's comparison, which has no option for them."""
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclasses.dataclass(frozen=True)
class Run:
    """What became of one operator."""

    outcome: str
    """`reported`, `refused` (its own check failed), `stopped` (an error), `silent` (exit status 0
    without a report) or `endless` (the time limit)."""
    detail: str = ""
    """Workload of the failed check, or the last words."""
    speedup: float | None = None
    """Geometric mean over the speed workloads of what it reports; None without one."""

    @property
    def caught(self) -> bool:
        """Whether it said, by its exit status, that something is wrong."""
        return self.outcome in ("refused", "stopped", "endless")


def benchmark(
    programs: Path, source: str, fields: dict[str, Any], *, seed: int, timeout_s: float
) -> Run:
    """Benchmark one operator, with the tool's defaults: 10 calls of warm-up, 100 timed.

    Args:
        programs: Folder of the tool.
        source: The operator, alone; it becomes the kernel's `__init__.py`.
        fields: Of `dougong.Operator`: name, contract, target, variant.
        seed: Of the inputs, and of the workloads that nobody has seen.
        timeout_s: For the whole run.
    """
    contract_id, variant = fields["contract"], fields.get("variant", "")
    workloads = usable(contract_id, variant, seed)
    about = {
        "contract": contract_id,
        "target": fields["target"].partition(":")[2],
        "seed": seed,
        "workloads": {w.name: _identifier(w.name) for w in workloads},
    }
    with tempfile.TemporaryDirectory(prefix="dougong-kernel-") as scratch:
        repository = _repository(Path(scratch), source, about)
        command = [str(programs / "kernels"), "benchmark", str(repository)]
        done = run(
            [*command, "--output", f"{OUT}/report.json"],
            [programs.parent, repository],
            environment=_ENVIRONMENT,
            timeout_s=timeout_s,
        )
    timed = {_identifier(w.name) for w in workloads if "speed" in w.purpose}
    return _read(done, timed)


@functools.cache
def usable(contract_id: str, variant: str, seed: int) -> tuple[Workload, ...]:
    """Return the workloads on which two honest implementations agree by the tool's comparison.

    It has one absolute tolerance, and NaN and large values do not meet it: an author would leave
    those workloads out, and so do we.
    """
    contract = contracts.contract(contract_id)
    asked = (*contract.workloads, *contract.hidden(seed))
    wanted = {f"variant:{variant}"} if variant else None
    chosen = [w for w in asked if wanted is None or set(w.features) <= wanted]
    return tuple(w for w in chosen if _agreed(contract, w, seed))


def _agreed(contract: Contract, workload: Workload, seed: int) -> bool:
    case = contract.generate(workload, seed, torch.float32)
    targets = (*map(resolve, contract.baselines.values()), contract.reference)
    with torch.no_grad():
        first, *rest = (contract.bind(target, case)(case.tensors) for target in targets)
    return all(
        torch.allclose(one, other, atol=_ATOL, rtol=_RTOL)
        for outputs in rest
        for one, other in zip(first, outputs, strict=True)
    )


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _repository(folder: Path, source: str, about: dict[str, Any]) -> Path:
    """Lay a kernel out as a repository of the Hub, built for any torch on a CPU."""
    folder.chmod(0o755)
    variant, benchmarks = folder / "build" / "torch-cpu", folder / "benchmarks"
    variant.mkdir(parents=True)
    benchmarks.mkdir()
    (variant / "__init__.py").write_text(source)
    metadata = {
        "id": "corpus_cpu_0",
        "name": "corpus",
        "version": 1,
        "license": "Apache-2.0",
        "python-depends": [],
        "backend": {"type": "cpu"},
    }
    (variant / "metadata.json").write_text(json.dumps(metadata))
    shutil.copy(Path(__file__).with_name("benchmark_operator.py"), benchmarks)
    (benchmarks / "operator.json").write_text(json.dumps(about))
    return folder


def _read(done: Done, timed: set[str]) -> Run:
    if done.status is None:
        return Run("endless", "time limit")
    if done.status:
        if found := _REFUSED.search(done.words):
            return Run("refused", found[1])
        said = done.words.strip().splitlines()
        return Run("stopped", said[-1] if said else f"exit status {done.status}")
    if "report.json" not in done.files:
        return Run("silent", "exit status 0, no report")
    ratios = _ratios(done, timed)
    if len(ratios) < len(timed) or not all(ratios):
        return Run("reported", "0 ms a call")
    return Run("reported", speedup=math.exp(math.fsum(map(math.log, ratios)) / len(ratios)))


def _ratios(done: Done, timed: set[str]) -> list[float]:
    """Return reference / mean of the timed workloads that have both; the tool rounds the quotient.

    The time of the reference is printed, and not in the report.
    """
    reference_ms = {name: float(ms) for name, ms in _REFERENCE.findall(done.words)}
    results = json.loads(done.files["report.json"])["results"]
    mean_ms = {r["workload"].rpartition(".")[2]: r["timingResults"]["mean_ms"] for r in results}
    return [
        reference_ms[name] / mean_ms[name]
        for name in sorted(timed & reference_ms.keys())
        if mean_ms[name] > 0
    ]
