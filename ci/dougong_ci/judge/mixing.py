"""Never-seen inputs for every timed call, cheap enough not to outlast the call."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dougong_ci.judge.child import Child
from dougong_ci.judge.memory import image

Tensors = Mapping[str, Tensor | None]


class Mixer:
    """Never-seen inputs at the price of one pass over memory.

    x = a + w (b - a) with two secret draws a and b of the workload, b shifted by a random offset
    and w random: every element differs in every call. Tensors that are not finite floating point
    (masks, indices) stay as drawn.

    Args:
        mine: Draw a, by name; everything that the call is shown.
        other: Draw b.
        child: Whose buffers the bytes are for; prepared with such a case.
        source: Of the offsets and weights.
    """

    def __init__(self, mine: Tensors, other: Tensors, child: Child, source: random.Random) -> None:
        if child.buffers is None:
            raise RuntimeError("prepare a case before mixing it")
        self._plan = child.buffers.in_plan
        self._source = source
        self._base = image(self._plan, mine)
        doubled: dict[str, Tensor] = {}
        for name, slot in self._plan.slots.items():
            first = slot.storage(self._base)
            second = other.get(name)
            if second is None or not first.is_floating_point():
                continue
            flat = second.detach().contiguous().flatten()
            if flat.numel() == first.numel() > 0 and _all_finite(first) and _all_finite(flat):
                doubled[name] = torch.cat((flat, flat))
        self._doubled = doubled

    def draw(self) -> Tensor:
        """Return the bytes of one new call."""
        packed = self._base.clone()
        for name, twice in self._doubled.items():
            slot = self._plan.slots[name]
            mine = slot.storage(packed)
            offset = self._source.randrange(mine.numel())
            weight = self._source.uniform(0.3, 0.7)
            torch.lerp(mine, twice[offset : offset + mine.numel()], weight, out=mine)
        return packed

    def tensors(self, packed: Tensor) -> dict[str, Tensor]:
        """Return what those bytes show, by name."""
        return {name: slot.view(packed) for name, slot in self._plan.slots.items()}


class Redrawer(Mixer):
    """Never-seen inputs drawn anew: what approximations rely on would not survive mixing."""

    def __init__(
        self, mine: Tensors, child: Child, source: random.Random, generate: Callable[[int], Tensors]
    ) -> None:
        super().__init__(mine, mine, child, source)
        self._generate = generate

    def draw(self) -> Tensor:
        """Return the bytes of one new call."""
        return image(self._plan, self._generate(self._source.getrandbits(48)))


def _all_finite(values: Tensor) -> bool:
    # Ten times faster than isfinite().all(): NaN comes out of both ends, infinity of one.
    return all(math.isfinite(float(end)) for end in torch.aminmax(values))
