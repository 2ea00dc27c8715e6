"""Dynamic sparse attention trained from the start: what four fifths less attention costs.

    python benchmarks/dsa_native.py [--quick] [--seeds N] [--steps N] [--fresh] [--json]

Small language models learn English bytes (half of every batch) and two tasks that need far tokens,
associative recall and copying (the other half), at equal steps from equal weights on equal batches.
Every sparse arm sees a fifth of the keys that causal attention sees, per query, after the same
dense warm-up:

    dense     all keys
    dsa       the fifth that a lightning indexer ranks highest, learning beside the model
    window    the nearest fifth and the first four keys
    random    a fifth drawn by chance
    control   all keys, and an indexer learns beside, which must not change the model by a bit;
              afterwards it is made sparse by its indexer, by the window and by the oracle

The loss of the model is the same in every arm. The indexer has its own optimizer and its own
clipping and learns from detached tensors. The set-up counts only if window and random lose clearly.

Runs are kept in benchmarks/results/dsa_native.json and not repeated; `--fresh` trains them anew.
One thread. Bar: dsa within 1 % of dense on text (loss) and on the tasks (accuracy).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dougong_ci.quality import tasks
from dougong_ci.quality.model import Spec, TaskModel
from dougong_plugins.attention.dsa.choosing import choose
from dougong_plugins.attention.dsa.distilling import divergence
from dougong_plugins.attention.dsa.indexers import Indexer, Oracle, Random, Window
from dougong_plugins.attention.dsa.lightning import Lightning, Sizes
from dougong_plugins.attention.dsa.selectors import Always, Ratio
from dougong_plugins.attention.visibility import causal_mask

RESULTS = Path(__file__).parent / "results" / "dsa_native.json"
ARMS = ("dense", "dsa", "window", "random", "control")
SHIFT = 128
"""Tokens of the tasks stand above the bytes of the text."""
SPEC = Spec(
    name="native", vocabulary=384, layers=2, head_size=32, is_causal=True, is_rotary=True,
    heads=2, width=64,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all arms share."""

    steps: int = 400
    length: int = 512
    tokens: int = 2048
    """Of one step."""
    ratio: float = 0.2
    warm: float = 0.2
    """Share of the steps that are dense in every arm."""
    rate: float = 3e-3
    questions: int = 48
    """Sequences of each held-out task."""


class Attention:
    """What the layers of one model call, in turn; collects the loss of the indexers."""

    def __init__(self, indexers: list[Indexer] | None, ratio: float, sinks: int = 0) -> None:
        self.indexers = indexers
        self.selector = Ratio(ratio, always=Always(sinks=sinks))
        self.is_sparse, self.is_learning = indexers is not None, False
        self.losses: list[Tensor] = []
        self.kept = self.seen = 0
        self._layer = 0

    def __call__(
        self, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None
    ) -> Tensor:
        indexer = self.indexers[self._layer % len(self.indexers)] if self.indexers else None
        self._layer += 1
        if self.is_learning and isinstance(indexer, Lightning):
            rows = torch.arange(self._layer % 4, q_BHTD.shape[2], 4)
            self.losses.append(divergence(indexer, q_BHTD, k_BHTD, rows=rows))
        kept = None
        if self.is_sparse and indexer is not None:
            kept = self._chosen(indexer, q_BHTD, k_BHTD)
        return functional.scaled_dot_product_attention(
            q_BHTD, k_BHTD, v_BHTD, attn_mask=kept, is_causal=kept is None
        )

    @torch.no_grad()
    def _chosen(self, indexer: Indexer, q_BHTD: Tensor, k_BHTD: Tensor) -> Tensor:
        visible = causal_mask(q_BHTD.shape[2], k_BHTD.shape[2], q_BHTD.device)
        kept = choose(indexer, self.selector, q_BHTD, k_BHTD, visible)
        self.kept += int(kept.sum()) // (len(kept) * kept.shape[1])
        self.seen += int(visible.sum())
        return kept


def batch(setup: Setup, step: int, source: Generator) -> list[tasks.Batch]:
    """Draw a step: half text, half recall or copying, longer as training goes on."""
    lengths = [n for n in (64, 128, 256, 512, 1024) if n <= setup.length]
    longest = min(len(lengths), 1 + int(step / setup.steps * 1.6 * len(lengths)))
    T = lengths[int(torch.randint(0, longest, (1,), generator=source))]
    count = max(1, setup.tokens // T // 2)
    is_retold = bool(torch.rand((), generator=source) < 0.5)
    text = (
        tasks.retold(count, T, source)
        if is_retold
        else tasks.text(count, T, source, held_out=False)
    )
    return [text, _task(count, T, source, bool(torch.rand((), generator=source) < 0.6))]


def _task(count: int, T: int, source: Generator, is_recall: bool) -> tasks.Batch:
    if is_recall:
        pairs = int(torch.randint(1, min(64, T // 8) + 1, (1,), generator=source))
        found = tasks.recall(count, T, pairs, source)
    else:
        length = int(torch.randint(8, min(48, T // 3) + 1, (1,), generator=source))
        found = tasks.copy(count, T, length, source)
    return shifted(found)


def shifted(found: tasks.Batch) -> tasks.Batch:
    """Move the tokens of a task above the bytes."""
    asked = found.targets_BT != tasks.IGNORED
    targets_BT = torch.where(asked, found.targets_BT + SHIFT, tasks.IGNORED)
    return tasks.Batch(found.tokens_BT + SHIFT, targets_BT)


def loss_of(net: TaskModel, drawn: list[tasks.Batch], attend: Attention) -> Tensor:
    """Return the loss of text plus that of the task: the same in every arm."""
    tokens_BT = torch.cat([each.tokens_BT for each in drawn])
    logits_BTV = net(tokens_BT, attend)
    parts = logits_BTV.split([len(each.tokens_BT) for each in drawn])
    return sum(
        functional.cross_entropy(
            logits.flatten(0, 1), each.targets_BT.flatten(), ignore_index=tasks.IGNORED
        )
        for logits, each in zip(parts, drawn, strict=True)
    )


def train(arm: str, seed: int, setup: Setup) -> tuple[TaskModel, Attention]:
    """Train one model; equal seeds give equal weights and equal batches to all arms."""
    torch.manual_seed(seed)
    net = begun(TaskModel(SPEC))
    source = Generator().manual_seed(1000 + seed)
    attend = Attention(indexers(arm, seed), setup.ratio, sinks=4 if arm == "window" else 0)
    attend.is_learning = arm in ("dsa", "control")
    model_steps = steps_of(list(net.parameters()), setup)
    gates = [p for each in attend.indexers or () if isinstance(each, Lightning)
             for p in each.parameters()]  # fmt: skip
    gate_steps = steps_of(gates, setup) if gates else None
    for step in range(setup.steps):
        attend.is_sparse = arm not in ("dense", "control") and step >= setup.warm * setup.steps
        attend.losses.clear()
        loss = loss_of(net, batch(setup, step, source), attend)
        advance(model_steps, loss)
        if gate_steps is not None:
            advance(gate_steps, torch.stack(attend.losses).sum())
        if (step + 1) % 100 == 0:
            told = [f"{each.item():.3f}" for each in attend.losses]
            print(f"{arm} seed {seed} step {step + 1} loss {loss:.3f} gate {told}", flush=True)
    return net.eval(), attend


@torch.no_grad()
def begun(net: TaskModel) -> TaskModel:
    """Begin with heads that look for what came after the present token, as induction heads do.

    Small models come to this by themselves after some thousand steps, all at once. Here they start
    there, in every arm, so that minutes suffice: what is compared is whether sparse attention lets
    them do it, not when they find out. The token before is the token itself, rotated; keys are
    queries, rotated back.
    """
    torch.nn.init.normal_(net.here.weight, std=0.3)
    turn_WW = torch.linalg.qr(torch.randn(SPEC.width, SPEC.width)).Q
    net.before.weight.copy_(net.here.weight @ turn_WW)
    for layer in net.layers:
        q_FW, k_FW, _ = layer.qkv.weight.chunk(3)
        q_FW.mul_(2.0)
        k_FW.copy_(q_FW @ turn_WW)
    return net


def indexers(arm: str, seed: int) -> list[Indexer] | None:
    """Return the indexers of an arm, one a layer, without touching the model's random numbers."""
    sizes = Sizes(SPEC.heads, SPEC.heads, SPEC.head_size, index_heads=2, index_size=16)
    with torch.random.fork_rng():
        torch.manual_seed(500 + seed)
        learned = [Lightning(sizes) for _ in range(SPEC.layers)]
    found: dict[str, list[Indexer]] = {
        "control": [*learned], "dsa": [*learned], "window": [Window()], "random": [Random(seed)],
    }  # fmt: skip
    return found.get(arm)


def steps_of(weights: list[Any], setup: Setup) -> tuple[Any, Any]:
    """Return an optimizer of these weights alone, and its schedule."""
    optimizer = torch.optim.AdamW(weights, lr=setup.rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1.0, (s + 1) / 50) * max(0.02, 1 - s / setup.steps)
    )
    return optimizer, schedule


def advance(steps: tuple[Any, Any], loss: Tensor) -> None:
    """Take a step with the norm of the gradient clipped over the optimizer's own weights."""
    optimizer, schedule = steps
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
    optimizer.step()
    schedule.step()


def held_out(setup: Setup) -> dict[str, tasks.Batch]:
    """Draw what every model is asked; the same for all."""
    source, T, count = Generator().manual_seed(77), setup.length, setup.questions
    return {
        "text": tasks.text(count, T, source),
        "recall": shifted(tasks.recall(count, T, 32, source)),
        "copy": shifted(tasks.copy(count, T, 48, source)),
    }


@torch.no_grad()
def scores(net: TaskModel, attend: Attention, setup: Setup) -> dict[str, list[float]]:
    """Return a score a sequence: nats a byte of text, shares of right answers of the tasks."""
    attend.is_learning = False
    found = {}
    for name, asked in held_out(setup).items():
        rows = []
        for tokens_BT, targets_BT in zip(
            asked.tokens_BT.split(8), asked.targets_BT.split(8), strict=True
        ):
            logits_BTV, counted = net(tokens_BT, attend), targets_BT != tasks.IGNORED
            if name == "text":
                rows += functional.cross_entropy(
                    logits_BTV.mT, targets_BT, reduction="none"
                ).mean(1).tolist()  # fmt: skip
            else:
                right = (logits_BTV.argmax(-1) == targets_BT) & counted
                rows += (right.sum(1) / counted.sum(1)).tolist()
        found[name] = [round(row, 5) for row in rows]
    return found


def digest(net: TaskModel) -> str:
    """Return a fingerprint of a model's weights."""
    import hashlib

    joined = b"".join(p.detach().numpy().tobytes() for p in net.parameters())
    return hashlib.sha256(joined).hexdigest()[:16]


def run(arm: str, seed: int, setup: Setup) -> dict[str, Any]:
    """Train and examine one model; the control also made sparse without training, by each gate."""
    began_s = time.process_time()
    net, attend = train(arm, seed, setup)
    attend.is_sparse = attend.indexers is not None and arm != "control"
    attend.kept = attend.seen = 0
    found: dict[str, Any] = {"scores": scores(net, attend, setup), "digest": digest(net)}
    if attend.seen:
        found["kept"] = round(attend.kept / attend.seen, 4)
    if arm == "control":
        gates: dict[str, list[Indexer]] = {
            "dsa": attend.indexers or [], "window": [Window()], "oracle": [Oracle()],
        }  # fmt: skip
        found["frozen"] = {
            name: scores(net, Attention(each, setup.ratio, 4 * (name == "window")), setup)
            for name, each in gates.items()
        }
    found["cpu_s"] = round(time.process_time() - began_s)
    return found


def stored(fresh: bool, setup: Setup) -> dict[str, Any]:
    """Return the runs kept so far, of this very set-up."""
    whole = {"setup": dataclasses.asdict(setup), "spec": dataclasses.asdict(SPEC), "runs": {}}
    if fresh or not RESULTS.exists():
        return whole
    kept: dict[str, Any] = json.loads(RESULTS.read_text())
    return kept if {**kept, "runs": {}} == whole else whole


def table(runs: dict[str, Any], seeds: list[int]) -> list[dict[str, Any]]:
    """Return a row an arm: means, and the differences from dense with their intervals."""
    columns: dict[str, dict[int, Any]] = {
        arm: {seed: runs[f"{arm}/{seed}"]["scores"] for seed in seeds} for arm in ARMS
    }
    for gate in ("dsa", "window", "oracle"):
        columns[f"dense, then {gate}"] = {
            seed: runs[f"control/{seed}"]["frozen"][gate] for seed in seeds
        }
    rows = []
    for arm, mine in columns.items():
        row: dict[str, Any] = {"arm": arm}
        for task in ("text", "recall", "copy"):
            base = torch.tensor([columns["dense"][seed][task] for seed in seeds])
            found = torch.tensor([mine[seed][task] for seed in seeds])
            if task == "text":
                share = found.mean(1) / base.mean(1) - 1
                row[task] = float(found.mean())
            else:
                share = found.mean(1) - base.mean(1)
                row[task] = float(found.mean())
            low, high = interval(found, base, relative=task == "text")
            row[f"{task} change"] = [float(share.mean()), low, high]
        rows.append(row)
    return rows


def interval(found: Tensor, base: Tensor, *, relative: bool) -> tuple[float, float]:
    """Return the 95 % interval of the change, drawing seeds and, within them, sequences anew."""
    source = Generator().manual_seed(3)
    seeds, count = found.shape
    drawn = []
    for _ in range(2000):
        rows = torch.randint(seeds, (seeds, 1), generator=source)
        columns = torch.randint(count, (seeds, count), generator=source)
        mine, other = found[rows, columns].mean(), base[rows, columns].mean()
        drawn.append(float(mine / other - 1 if relative else mine - other))
    low, high = torch.tensor(drawn).quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high


def show(rows: list[dict[str, Any]], kept: dict[str, Any], seeds: list[int]) -> None:
    """Print the table and what it decides."""
    from rich.console import Console
    from rich.table import Table

    view = Table(title=f"a fifth of the keys, {len(seeds)} seeds, mean and 95 % interval")
    for head in ("arm", "text, nats/byte", "vs dense", "recall", "vs dense", "copy", "vs dense"):
        view.add_column(head, justify="left" if head == "arm" else "right", no_wrap=True)
    for row in rows:
        cells = [row["arm"]]
        for task in ("text", "recall", "copy"):
            middle, low, high = (100 * each for each in row[f"{task} change"])
            unit = "%" if task == "text" else "pt"
            cells.append(f"{row[task]:.3f}" if task == "text" else f"{row[task]:.1%}")
            cells.append(f"{middle:+.1f} {unit} [{low:+.1f}, {high:+.1f}]")
        view.add_row(*cells)
    console = Console(width=130)
    console.print(view)
    same = all(kept[f"dense/{s}"]["digest"] == kept[f"control/{s}"]["digest"] for s in seeds)
    console.print(f"control equals dense to the bit: {'yes' if same else 'NO'}")
    console.print(f"keys kept of those visible: {kept[f'dsa/{seeds[0]}']['kept']:.1%}")


def main() -> int:
    """Train what is missing, print the table; exit status 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=Setup.steps)
    parser.add_argument("--quick", action="store_true", help="one seed, 250 steps, not kept")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that are kept")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [0] if arguments.quick else list(range(arguments.seeds))
    setup = Setup(steps=250 if arguments.quick else arguments.steps)
    kept = stored(arguments.fresh or arguments.quick, setup)
    for seed in seeds:
        for arm in ARMS:
            if f"{arm}/{seed}" not in kept["runs"]:
                kept["runs"][f"{arm}/{seed}"] = run(arm, seed, setup)
                if not arguments.quick:
                    RESULTS.parent.mkdir(exist_ok=True)
                    RESULTS.write_text(json.dumps(kept) + "\n")
    rows = table(kept["runs"], seeds)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows, kept["runs"], seeds)
    dsa = next(row for row in rows if row["arm"] == "dsa")
    losses = (dsa["text change"][0], -dsa["recall change"][0], -dsa["copy change"][0])
    return 0 if max(losses) <= 0.01 else 1


if __name__ == "__main__":
    raise SystemExit(main())
