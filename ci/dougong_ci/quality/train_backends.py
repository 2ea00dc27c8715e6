"""Train the models that backends are judged on: `python -m dougong_ci.quality.train_backends`.

They are released with `backend.inference@2` and held by hash, so that a new set is a new version of
the contract; this program says how they came about. It takes some minutes on one core. The digits
need scikit-learn, which nothing else here does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dougong.contracts.backend import trained
from dougong_ci.quality import tasks

_SEED = 20261130
_TOKENS = 64
_STEPS = {"text-mlp": 6000, "text-transformer": 3000, "digits-conv": 900}
Draw = Callable[[bool, int, Generator], tuple[Tensor, Tensor]]
"""(is held out, examples, source) -> inputs in float32, and the class of each."""


def text(name: str) -> Draw:
    """Return what draws contexts of English and the byte after each (or after each byte)."""
    length = _TOKENS if name == "text-transformer" else trained.CONTEXT

    def draw(held_out: bool, count: int, source: Generator) -> tuple[Tensor, Tensor]:
        found = tasks.corpus(held_out=held_out)
        at = torch.randint(0, len(found) - length, (count, 1), generator=source)
        window = found[at + torch.arange(length + 1)]
        x = trained.embedded(window[:, :-1], name).float()
        return x, window[:, 1:] if name == "text-transformer" else window[:, -1]

    return draw


def digits() -> Draw:
    """Return what draws handwritten digits; one in five is held out."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

    pictures, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(pictures).view(-1, 8, 8) / 16
    y = torch.from_numpy(labels).long()
    order = torch.randperm(len(y), generator=Generator().manual_seed(_SEED))
    kept = order[len(y) // 5 :], order[: len(y) // 5]

    def draw(held_out: bool, count: int, source: Generator) -> tuple[Tensor, Tensor]:
        mine = kept[held_out]
        chosen = mine if held_out else mine[torch.randint(len(mine), (count,), generator=source)]
        found = trained.pixels(x[chosen]).float()
        if not held_out:  # moved by up to a pixel each way
            by = [int(torch.randint(-1, 2, (1,), generator=source)) for _ in range(2)]
            found = found.roll(by, (2, 3))
        return found, y[chosen]

    return draw


def train(name: str, draw: Draw, steps: int) -> nn.Module:
    """Train one model from nothing, rounded to what is kept, and print what it has learnt."""
    torch.manual_seed(_SEED)
    source = Generator().manual_seed(_SEED)
    net = trained.untrained(name)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    count = 16 if name == "text-transformer" else 256
    for step in range(steps):
        loss = _loss(net, *draw(False, count, source))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        optimizer.step()
        schedule.step()
        if (step + 1) % 300 == 0:
            print(f"{name} step {step + 1}/{steps} loss {loss.item():.3f}", flush=True)
    net.load_state_dict({key: value.half().float() for key, value in net.state_dict().items()})
    x, y = draw(True, 512, source)
    with torch.no_grad():
        right = float((net(x).argmax(-1) == y).float().mean())
        print(f"{name}: held out, loss {_loss(net, x, y):.3f}, {right:.1%} right", flush=True)
    return net


def _loss(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(net(x).flatten(0, -2), y.flatten())


def main(folder: Path, names: list[str]) -> None:
    """Train the models named, or all, and write their weights into a folder."""
    for name in names or trained.SIZES:
        draw = digits() if name == "digits-conv" else text(name)
        (folder / f"{name}.f16").write_bytes(trained.packed(train(name, draw, _STEPS[name])))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
