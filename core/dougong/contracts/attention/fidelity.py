"""The law of approximate attention: what comes out follows the queries.

A relative error alone does not part a poor approximation from no attention at all: the mean of the
values a query may see is often nearer to the exact output than linear attention is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong.contracts.attention.exact import attention
from dougong.contracts.definition import Case, Law
from dougong.contracts.laws import edited, tensor_of
from dougong.contracts.sampling import generator

Outputs = tuple[Tensor, ...]
_QUERIES = 16
"""Fewest queries among which another order says something."""
_COSINE = 0.5
"""What does not read the queries has 0, an exact answer 1."""


def _other_queries(case: Case, seed: int) -> Case | None:
    q = tensor_of(case, "q")
    if q.shape[2] < _QUERIES or tensor_of(case, "k").numel() == 0:
        return None
    order = torch.randperm(q.shape[2], generator=generator(seed, "queries"))
    return edited(case, q=q[:, :, order])


def _followed(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    before, after = _exact(case), _exact(changed)
    expected = (after - before).flatten()
    if float(expected.norm()) <= 0.1 * float(before.norm()):
        return None
    got = (found[0].double() - outputs[0].double()).flatten()
    cosine = float(torch.nn.functional.cosine_similarity(got, expected, dim=0))
    if cosine >= _COSINE:
        return None
    return (
        f"with other queries the output must change as exact attention does: cosine of the two "
        f"changes must be >= {_COSINE}, got {cosine:.2f}"
    )


def _exact(case: Case) -> Tensor:
    q, k, v = (tensor_of(case, name).double() for name in ("q", "k", "v"))
    mask = case.tensors["mask"]
    if mask is not None and mask.is_floating_point():
        mask = mask.double()
    is_causal, scale = bool(case.static["is_causal"]), case.static["scale"]
    return attention(q, k, v, mask=mask, is_causal=is_causal, scale=scale)


FOLLOWS_QUERIES = Law(
    name="follows-queries",
    summary="Other queries change the output in the direction in which they change the exact one",
    variant=_other_queries,
    violation=_followed,
)
