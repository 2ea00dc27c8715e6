"""What optimizers are asked to train: two small models on real data, from nothing.

The judge holds the model, the data and the loss. It works out gradients and hands over nothing
else, so that there are no labels to be read; and since inputs and labels are shuffled by the secret
seed (pixels turned by a rotation, classes and bytes renamed), weights brought along fit nothing.

- digits: 8x8 images of handwritten digits (UCI, as scikit-learn carries them), a perceptron of one
  hidden layer; held out is a fifth of the images.
- text: the manual that comes with Python, a transformer of one layer; held out are whole topics.

Shape suffixes: N = examples, P = pixels, B = batch, T = tokens, W = width, V = vocabulary, D = size
of a head.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from dougong.contracts.sampling import generator
from dougong_ci.quality import tasks

Params = list[Tensor]
_PIXELS, _HIDDEN, _CLASSES = 64, 32, 10
_VOCABULARY, _WIDTH, _LENGTH, _HEADS = 128, 32, 32, 2
_HELD_OUT = 48
"""Windows of held-out text."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One training from one start: everything but the optimizer."""

    start: Params
    loss: Callable[[Params, int], Tensor]
    """(parameters, step) -> loss of the step's batch; steps count from 0."""
    held_out: Callable[[Params], Tensor]
    """parameters -> loss of what is held out, in nats."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """One thing to be learnt."""

    name: str
    steps: int
    every: int
    """Steps between two looks at what is held out."""
    draw: Callable[[int], Run]
    """seed -> start, batches and disguise."""


def gradients(run: Run, params: Params, step: int) -> list[Tensor]:
    """Return the gradient of a step's loss by each parameter."""
    leaves = [p.detach().requires_grad_() for p in params]
    with torch.enable_grad():
        loss = run.loss(leaves, step)
    return [g.contiguous() for g in torch.autograd.grad(loss, leaves)]


@functools.cache
def images() -> tuple[Tensor, Tensor]:
    """Return the digits, (1797, 64) float32 of mean 0 and variance about 1, and their classes.

    Raises:
        ModuleNotFoundError: scikit-learn, which carries them, is not installed.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "the digits that optimizers train on come with scikit-learn: pip install scikit-learn"
        )
    # Read where they lie: importing scikit-learn takes seconds and is needed for nothing else.
    packed = (Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz").read_bytes()
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", dtype=np.float32)
    x_NP = torch.from_numpy(table[:, :_PIXELS].copy())
    return (x_NP - x_NP.mean()) / x_NP.std(), torch.from_numpy(table[:, _PIXELS].astype(np.int64))


def _normal(source: Generator, *shape: int, std: float) -> Tensor:
    return std * torch.randn(shape, generator=source)


def _digits(seed: int) -> Run:
    source = generator(seed, "digits")
    x_NP, y_N = images()
    rotation, _ = torch.linalg.qr(torch.randn(_PIXELS, _PIXELS, generator=source))
    x_NP, y_N = x_NP @ rotation, torch.randperm(_CLASSES, generator=source)[y_N]
    order = torch.randperm(len(x_NP), generator=source)
    held, seen = order[: len(order) // 5], order[len(order) // 5 :]
    start = [
        _normal(source, _HIDDEN, _PIXELS, std=_PIXELS**-0.5),
        torch.zeros(_HIDDEN),
        _normal(source, _CLASSES, _HIDDEN, std=_HIDDEN**-0.5),
        torch.zeros(_CLASSES),
    ]

    def loss(params: Params, chosen: Tensor) -> Tensor:
        w1, b1, w2, b2 = params
        hidden = torch.tanh(functional.linear(x_NP[chosen], w1, b1))
        return functional.cross_entropy(functional.linear(hidden, w2, b2), y_N[chosen])

    def batch(step: int) -> Tensor:
        return seen[
            torch.randint(len(seen), (128,), generator=generator(seed, "digits", str(step)))
        ]

    return Run(start, lambda p, step: loss(p, batch(step)), lambda p: loss(p, held))


def _text(seed: int) -> Run:
    source = generator(seed, "text")
    names = torch.randperm(_VOCABULARY, generator=source)
    W = _WIDTH
    start = [
        _normal(source, _VOCABULARY, W, std=0.3),
        _normal(source, _LENGTH, W, std=0.3),
        torch.ones(W),
        _normal(source, 3 * W, W, std=W**-0.5),
        _normal(source, W, W, std=W**-0.5),
        torch.ones(W),
        _normal(source, 2 * W, W, std=W**-0.5),
        _normal(source, W, 2 * W, std=(2 * W) ** -0.5),
        torch.ones(W),
        _normal(source, _VOCABULARY, W, std=0.5 * W**-0.5),
    ]
    held = _windows(_HELD_OUT, names, source, held_out=True)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return _windows(16, names, generator(seed, "text", str(step)), held_out=False)

    return Run(start, lambda p, step: _continued(p, *batch(step)), lambda p: _continued(p, *held))


def _windows(
    count: int, names: Tensor, source: Generator, *, held_out: bool
) -> tuple[Tensor, Tensor]:
    drawn = tasks.text(count, _LENGTH, source, held_out=held_out)
    return names[drawn.tokens_BT], names[drawn.targets_BT]


def _continued(params: Params, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """Return the loss of a transformer of one layer, in nats a byte."""
    here, places, gain1, qkv, out, gain2, up, down, gain3, head = params
    B, T = tokens_BT.shape
    x_BTW = here[tokens_BT] + places
    normed = functional.rms_norm(x_BTW, (_WIDTH,), gain1)
    q, k, v = (normed @ qkv.mT).view(B, T, 3, _HEADS, -1).permute(2, 0, 3, 1, 4)
    mixed_BHTD = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    x_BTW = x_BTW + mixed_BHTD.transpose(1, 2).reshape(B, T, -1) @ out.mT
    inner = functional.gelu(functional.rms_norm(x_BTW, (_WIDTH,), gain2) @ up.mT)
    x_BTW = x_BTW + inner @ down.mT
    logits_BTV = functional.rms_norm(x_BTW, (_WIDTH,), gain3) @ head.mT
    return functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


DIGITS = Lesson(name="digits", steps=120, every=5, draw=_digits)
TEXT = Lesson(name="text", steps=150, every=10, draw=_text)
LESSONS = (DIGITS, TEXT)
