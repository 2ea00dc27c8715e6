"""How far the output is from exact attention on queries, keys and values of a trained model.

- relative_l2: ||out - exact|| / ||exact||; with it the 99th percentile of the same by row, in the
  worst head.
- cosine: between what exact attention adds to the mean of the visible values, and what the operator
  adds. Whatever looks at nothing has 0, however near the mean is to the exact output.
- mass_recall: the sum over keys of the smaller of the two weights, exact and the operator's; what
  share of the weight goes where it should. It is estimated from the outside: for each of some
  hidden queries a key is drawn by its exact weight and marked in the values of a second call, in a
  column of its own, where the operator's weight of that key can then be read.

Shape suffixes: B = batch, H = heads, T = queries and keys, D = per-head size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dougong_ci.quality.exam import blind
from dougong_ci.quality.model import Attend

_Values = tuple[Tensor, Tensor, Tensor]


@dataclasses.dataclass(frozen=True)
class OutputError:
    """Errors over all layers of a model."""

    relative_l2: float
    p99: float
    """Of rows, in the worst head."""
    cosine: float
    mass_recall: float


def output_error(layers: Sequence[_Values], attend: Attend, source: torch.Generator) -> OutputError:
    """Measure an operator on the inputs of every layer of a causal model.

    Args:
        layers: (q, k, v) of each, (B, H, T, D).
        attend: The operator, causal.
        source: Chooses the queries whose weights are looked at.
    """
    errors, wholes, cosines, rows, recalls = [], [], [], [], []
    for q_BHTD, k_BHTD, v_BHTD in layers:
        weight_BHTT = _weights(q_BHTD, k_BHTD)
        gold = weight_BHTT @ v_BHTD.double()
        found = attend(q_BHTD, k_BHTD, v_BHTD, mask=None).double().nan_to_num(0.0, 0.0, 0.0)
        mean = blind(is_causal=True)(q_BHTD, k_BHTD, v_BHTD, mask=None).double()
        errors.append((found - gold).square().sum())
        wholes.append(gold.square().sum())
        row_BHT = (found - gold).norm(dim=-1) / gold.norm(dim=-1).clamp_min(1e-12)
        rows.append(float(row_BHT.flatten(2).quantile(0.99, dim=-1).max()))
        cosines.append(_cosine(found - mean, gold - mean))
        recalls.append(_mass_recall(q_BHTD, k_BHTD, v_BHTD, weight_BHTT, found, attend, source))
    return OutputError(
        relative_l2=float((sum(errors) / sum(wholes)) ** 0.5),
        p99=max(rows),
        cosine=sum(cosines) / len(cosines),
        mass_recall=sum(recalls) / len(recalls),
    )


def _weights(q_BHTD: Tensor, k_BHTD: Tensor) -> Tensor:
    """Return the weights of causal attention, float64, (B, H, T, T)."""
    T, D = q_BHTD.shape[2:]
    logits_BHTT = q_BHTD.double() @ k_BHTD.double().mT / D**0.5
    hidden_TT = torch.ones(T, T, dtype=torch.bool).triu(1)
    weight_BHTT: Tensor = logits_BHTT.masked_fill(hidden_TT, -torch.inf).softmax(-1)
    return weight_BHTT


def _cosine(one: Tensor, other: Tensor) -> float:
    sizes = float(one.norm() * other.norm())
    return float((one * other).sum()) / sizes if sizes else 0.0


def _mass_recall(
    q_BHTD: Tensor,
    k_BHTD: Tensor,
    v_BHTD: Tensor,
    weight_BHTT: Tensor,
    found: Tensor,
    attend: Attend,
    source: torch.Generator,
) -> float:
    B, H, T, D = q_BHTD.shape
    # One hidden query a column, of the second half, where there is something to leave out; and for
    # it one key, drawn by its weight.
    query_D = T // 2 + torch.randperm(T - T // 2, generator=source)[:D]
    weight_NT = weight_BHTT[:, :, query_D].flatten(0, 2)
    key_N1 = torch.multinomial(weight_NT, 1, generator=source)
    due_BHD = weight_NT.gather(-1, key_N1).view(B, H, D)
    marks_BHTD = torch.zeros_like(weight_NT).scatter(-1, key_N1, 1.0).view(B, H, D, T).mT
    marked = attend(q_BHTD, k_BHTD, (v_BHTD + marks_BHTD.float()).contiguous(), mask=None)
    added_BHDD = (marked.double() - found)[:, :, query_D].nan_to_num(0.0, 0.0, 0.0)
    got_BHD = added_BHDD.diagonal(dim1=-2, dim2=-1)
    return float((got_BHD / due_BHD).clamp(0, 1).mean())
