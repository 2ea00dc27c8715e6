"""Workloads, inputs, laws and cost of the gated delta rule.

Shape suffixes as in `dougong.contracts.attention.gated_delta`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Law, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.laws import apart, edited, tensor_of
from dougong.contracts.sampling import chooser, draw, generator, lay

Outputs = tuple[Tensor, ...]
_DECAY = 0.3
"""Fastest decay of a token that is drawn: the state of 10 tokens ago weighs exp(-3)."""


def workload(
    name: str,
    sizes: tuple[int, int, int, int, int],
    decay: float = _DECAY,
    scale: float | None = None,
    **rest: object,
) -> Workload:
    """Return a workload of `sizes` (B, H, T, D, V).

    Args:
        name: Unique within the contract.
        sizes: Of the tensors.
        decay: Largest magnitude of a log gate; 0 for the delta rule without a gate.
        scale: Given to the operator.
        **rest: Further fields of the workload.
    """
    params: dict[str, Scalar] = dict(zip("BHTDV", sizes, strict=True))
    params.update(decay=decay, scale=scale)
    return Workload(name=name, params=params, **rest)  # type: ignore[arg-type] # checked by dataclass field names


_BOTH = ("accuracy", "speed")
_EDGE = ("edge",)

SPEED = (
    workload("short", (2, 4, 128, 32, 32), purpose=_BOTH),
    workload("prefill", (1, 4, 256, 64, 64), purpose=_BOTH),
)
WORKLOADS = (
    workload("plain", (2, 2, 37, 16, 16)),
    workload("values-wider", (1, 2, 65, 16, 24)),
    workload("without-decay", (2, 2, 50, 16, 16), decay=0.0),
    workload("fast-decay", (1, 2, 70, 16, 16), decay=3.0),
    workload("scaled", (1, 2, 33, 16, 16), scale=0.7),
    workload("many-samples", (24, 1, 9, 8, 8)),
    *(
        workload(f"values-{name}", (1, 2, 29, 16, 16), distribution=name)
        for name in ("uniform", "sparse", "heavy", "shifted")
    ),
    *SPEED,
    workload("size-1", (1, 1, 1, 1, 1), purpose=_EDGE),
    workload("empty-batch", (0, 2, 5, 8, 8), purpose=_EDGE),
    workload("primes", (1, 3, 131, 13, 7), purpose=_EDGE),
    *(workload(f"tokens-{T}", (1, 1, T, 8, 8), purpose=_EDGE) for T in (63, 64, 129)),
    *(
        workload(f"edge-{name}", (1, 2, 19, 8, 8), purpose=_EDGE, distribution=name)
        for name in ("tiny", "large", "zeros")
    ),
    *(
        workload(f"layout-{name}", (2, 2, 21, 16, 16), purpose=_EDGE, layout=name)
        for name in ("transposed", "offset", "expanded")
    ),
)


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed."""
    pick = chooser(seed, "attention.gated_delta@1")
    found = [
        workload(
            f"hidden-{i}",
            (
                pick.randint(1, 2),
                pick.randint(1, 3),
                T,
                pick.choice((8, 15, 32)),
                pick.choice((8, 21)),
            ),
            decay=pick.choice((0.0, 0.1, 1.0)),
            distribution=pick.choice(("normal", "uniform", "heavy")),
            layout=pick.choice(("contiguous", "transposed", "offset")),
        )
        for i, T in enumerate((pick.randint(2, 30), pick.randint(31, 63), pick.randint(65, 110)))
    ]
    more = 128 + pick.randint(1, 31)
    return (*found, workload("hidden-speed", (1, 4, more, 64, 64), purpose=("speed",)))


def sizes_of(work: Workload) -> tuple[int, int, int, int, int]:
    """Return (B, H, T, D, V)."""
    B, H, T, D, V = (int(str(work.params[name])) for name in "BHTDV")
    return B, H, T, D, V


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw the inputs of a workload; the distribution is that of the values."""
    B, H, T, D, V = sizes_of(work)

    def drawn(name: str, *shape: int, distribution: str = "normal") -> Tensor:
        return draw(shape, distribution, generator(seed, work.name, name), torch.float64)

    q, k = (drawn(name, B, H, T, D) for name in "qk")
    tensors = {
        "q": q / q.norm(dim=-1, keepdim=True),
        "k": k / k.norm(dim=-1, keepdim=True),
        "v": drawn("v", B, H, T, V, distribution=work.distribution),
        "log_gate": -float(str(work.params["decay"])) * drawn("log_gate", B, H, T).sigmoid(),
        "beta": drawn("beta", B, H, T).sigmoid(),
    }
    return Case(
        tensors={n: lay(t.to(dtype), work.layout) for n, t in tensors.items()},
        static={"scale": work.params["scale"]},
        differentiable=tuple(tensors),
    )


def cap_scale(work: Workload) -> float:
    """Widen the cap as errors of sums over tokens and over a key add up."""
    _, _, T, D, _ = sizes_of(work)
    return math.sqrt(T * D)


def cost(work: Workload, dtype: torch.dtype) -> Cost:
    """Count the recurrence, whose work is least: three products with the state a token."""
    B, H, T, D, V = sizes_of(work)
    elements = B * H * T * (2 * D + 2 * V + 2)
    return Cost(flops=6.0 * B * H * T * D * V, bytes=float(elements * element_bytes(dtype)))


def _other_end(case: Case, seed: int) -> Case | None:
    if tensor_of(case, "v").shape[2] < 2:
        return None
    changed = {}
    for name in ("k", "v", "beta"):
        value = tensor_of(case, name).clone()
        value[:, :, -1] = value[:, :, 0] / 2
        changed[name] = value
    return edited(case, **changed)


def _past_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    if torch.equal(outputs[0][:, :, :-1], found[0][:, :, :-1]):
        return None
    return "the tokens before the last one changed with it"


def _doubled(case: Case, seed: int) -> Case | None:
    return edited(case, v=2 * tensor_of(case, "v"))


def _twice(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(2 * outputs[0], found[0], ulps=2, what="twice the output, and of twice the values")


def _others(case: Case, seed: int) -> Case | None:
    if tensor_of(case, "q").shape[0] < 2:
        return None
    changed = {}
    for name in ("q", "k", "v", "beta"):
        value = tensor_of(case, name).clone()
        value[1:] = value[1:].flip(2)
        changed[name] = value
    return edited(case, **changed)


def _first_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(outputs[0][0], found[0][0], ulps=4, what="sample 0 when the others change")


CAUSALITY = Law(
    name="causality",
    summary="Changing the last token leaves those before it equal to the bit",
    variant=_other_end,
    violation=_past_kept,
)
LINEARITY = Law(
    name="linearity",
    summary="Twice the values give twice the output",
    variant=_doubled,
    violation=_twice,
)
BATCH = Law(
    name="batch",
    summary="A sample does not depend on the others in its batch",
    variant=_others,
    violation=_first_kept,
)
