"""Does a model learn to live with the operator: a short training with it in the loop.

An operator with gradients may stand in a model from the first step on; what it does in a model
trained with softmax says little about that (linear attention is the case in point). So the language
model is trained on for a few steps with the operator's forward and backward calls in the sandbox,
at several learning rates, because recall is brittle in it (Okpekpe & Orvieto, 2025,
arXiv:2508.19029), and beside it the same model, steps, text and rates with exact attention. Only
profile `full` does this.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.definition import Case, Contract
from dougong.contracts.sampling import generator
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.memory import image, numbered
from dougong_ci.quality import tasks
from dougong_ci.quality.exam import exact
from dougong_ci.quality.model import Attend, TaskModel
from dougong_ci.runner.protocol import Fault

RATES = (3e-4, 1e-3, 3e-3)
STEPS = 40
LENGTH = 256
_SEQUENCES = 4
_HELD_OUT = 8


@dataclasses.dataclass(frozen=True)
class Adapted:
    """Losses on held-out text after training, nats a byte, at the best learning rate of each."""

    exact: float
    candidate: float
    rate: float
    """Best learning rate of the candidate."""


class TrainThrough:
    """Causal attention in the sandbox with gradients, float32."""

    def __init__(self, child: Child, contract: Contract, target: str, limit_s: float) -> None:
        self._child, self._contract, self._target = child, contract, target
        self._limit_s = limit_s
        self._bound: tuple[object, bool] | None = None

    def attend(
        self, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None
    ) -> Tensor:
        """Return the mixed values; autograd asks the sandbox for their gradients."""
        if mask is not None:
            raise ValueError("training text has no padding; the mask must be None")
        out: Tensor = _Outside.apply(self, q_BHTD, k_BHTD, v_BHTD)  # type: ignore[no-untyped-call] # torch does not annotate it
        return out

    def call(self, inputs: Sequence[Tensor], flowing: Sequence[Tensor] = ()) -> list[Tensor]:
        """Run one forward call, or one backward call where an upstream gradient is given."""
        tensors: dict[str, Tensor | None] = dict(zip("qkv", inputs, strict=True))
        case = Case(
            tensors={**tensors, "mask": None},
            static={"is_causal": True, "scale": None},
            differentiable=("q", "k", "v"),
        )
        bound = (inputs[0].shape, bool(flowing))
        if self._bound != bound:
            outputs = list(inputs) if flowing else [inputs[0]]
            self._child.prepare(self._contract.id, self._target, case, outputs, flowing)
            self._bound = bound
        if (buffers := self._child.buffers) is None:
            raise RuntimeError("a call needs a prepared child")
        packed = image(buffers.in_plan, {**case.tensors, **numbered("flowing", flowing)})
        with self._child.armed():
            self._child.call(packed, self._limit_s, timed=False)
        if stray := buffers.strays(packed):
            raise Fell(Fault.ALIAS, stray)
        return buffers.results()


class _Outside(torch.autograd.Function):
    """Forward and backward by the sandbox."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, *args: object) -> Tensor:
        through, q, k, v = args
        if not isinstance(through, TrainThrough):
            raise TypeError("the first argument must be the way into the sandbox")
        inputs = [x.detach().clone() for x in (q, k, v) if isinstance(x, Tensor)]
        ctx.save_for_backward(*inputs)
        ctx.through = through  # type: ignore[attr-defined] # a context takes any attribute
        return through.call(inputs)[0]

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> object:
        inputs = ctx.saved_tensors  # type: ignore[attr-defined] # torch does not annotate it
        through: TrainThrough = ctx.through  # type: ignore[attr-defined] # set in forward
        found = through.call(inputs, [gradients[0].clone(memory_format=torch.contiguous_format)])
        return (None, *found)


def adapted(net: TaskModel, candidate: Attend, seed: int, steps: int = STEPS) -> Adapted:
    """Train copies of a model with exact attention and with the candidate, equally.

    Args:
        net: The trained language model; left as it is.
        candidate: Attention with gradients.
        seed: Draws the text, the same for both.
        steps: Optimizer steps at each learning rate.
    """
    ours = [_loss_after(net, exact(is_causal=True), rate, seed, steps) for rate in RATES]
    theirs = [_loss_after(net, candidate, rate, seed, steps) for rate in RATES]
    best = min(range(len(RATES)), key=theirs.__getitem__)
    return Adapted(exact=min(ours), candidate=theirs[best], rate=RATES[best])


def _loss_after(net: TaskModel, attend: Attend, rate: float, seed: int, steps: int) -> float:
    mine = copy.deepcopy(net).requires_grad_(True)
    optimizer = torch.optim.AdamW(mine.parameters(), lr=rate, betas=(0.9, 0.98))
    source = generator(seed, "adapt")
    for _ in range(steps):
        batch = tasks.text(_SEQUENCES, LENGTH, source, held_out=False)
        loss = _loss(mine, batch, attend)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        torch.nn.utils.clip_grad_norm_(mine.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        held_out = tasks.text(_HELD_OUT, LENGTH, generator(seed, "adapt-held-out"))
        found = float(_loss(mine, held_out, attend))
    return found if math.isfinite(found) else math.log(net.spec.vocabulary)


def _loss(net: TaskModel, batch: tasks.Batch, attend: Attend) -> Tensor:
    logits_BTV = net(batch.tokens_BT, attend)
    return functional.cross_entropy(logits_BTV.flatten(0, 1), batch.targets_BT.flatten())
