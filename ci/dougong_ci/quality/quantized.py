"""What a transformed model keeps of what the model had learnt.

The contract's workloads have random weights, which show how near outputs stay but not what that is
worth. Here the model is an MLP of the contract's own kind, trained to continue English text from
its last eight bytes, with weights and inputs from the judge; the operator sees a workload like any
other. Rows: loss in nats a byte beside the unchanged model's (and whether it is non-inferior, as
for attention), share of predictions that stay the same, relative L2 error of the logits.

An operator must retain `FLOOR` of what the model knows beyond the frequencies of bytes.
"""

from __future__ import annotations

import io
import statistics
from importlib import resources

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.backend import models
from dougong.contracts.definition import Case, Contract
from dougong.contracts.sampling import generator
from dougong_ci.judge.child import Fell
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.heats import speed_dtypes
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.quality import tasks
from dougong_ci.quality.rows import non_inferiority, share
from dougong_ci.report.verdict import QualityRow
from dougong_ci.runner.protocol import Fault

FLOOR = 0.5
CONTEXT = 8
WIDTH, DEPTH, CLASSES = 128, 2, 128
_DRAWS = {"quick": 5, "full": 24}
_USUAL_DRAWS = 8
_ROWS = 512


def static() -> dict[str, object]:
    """Return the sizes of the model, as the contract's cases give them."""
    return {
        "model": "mlp",
        "width": WIDTH,
        "depth": DEPTH,
        "classes": CLASSES,
        "input": [_ROWS, WIDTH],
    }


def embedded(bytes_NC: Tensor) -> Tensor:
    """Return contexts of bytes as rows of numbers of about unit variance, (N, WIDTH).

    Every byte has a fixed random vector.
    """
    table = torch.randn(CLASSES, WIDTH // CONTEXT, generator=generator(0, "quality", "bytes"))
    return table[bytes_NC].flatten(1)


def contexts(count: int, source: torch.Generator, *, held_out: bool) -> tuple[Tensor, Tensor]:
    """Draw contexts of the corpus, (count, CONTEXT), and the byte after each, (count,)."""
    found = tasks.corpus(held_out=held_out)
    at = torch.randint(0, len(found) - CONTEXT, (count, 1), generator=source)
    window = found[at + torch.arange(CONTEXT + 1)]
    return window[:, :CONTEXT], window[:, CONTEXT]


def weights() -> dict[str, Tensor]:
    """Return the trained weights in float32."""
    file = resources.files("dougong_ci.quality") / "weights" / "mlp.npz"
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}


class TransformQuality:
    """The rows of one transform, in a fresh process of the candidate's sandbox."""

    def __init__(self, docket: Docket, party: Party, profile: Profile) -> None:
        self._docket, self._party, self._profile = docket, party, profile

    def rows(self) -> list[QualityRow]:
        """Transform the trained model and run it on held-out text.

        Raises:
            Fell: the operator fell.
        """
        answers = self._docket.answers
        source = generator(answers.seed("quality"), "contexts")
        draws = _DRAWS.get(self._profile.name, _USUAL_DRAWS)
        drawn = [contexts(_ROWS, source, held_out=True) for _ in range(draws)]
        xs = [embedded(context) for context, _ in drawn]
        found, kept = self._outputs(answers.contract, xs)
        targets = [target for _, target in drawn]
        return _rows(found, kept, targets)

    def _outputs(self, contract: Contract, xs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits of the transformed and of the unchanged model."""
        dtype = speed_dtypes(self._docket)[0]
        setup = {name: weight.to(dtype) for name, weight in weights().items()}
        case = Case(tensors={"x": xs[0].to(dtype)}, static=static(), setup=setup)
        with torch.no_grad():
            model = models.build(case)
            kept = [model(x.to(dtype)) for x in xs]
        child = self._party.spawn()
        buffers = child.prepare(contract.id, self._docket.operator.target, case, kept[:1])
        found = []
        for x in xs:
            packed = image(buffers.in_plan, {"x": x.to(dtype)})
            with child.armed():
                child.call(packed, self._profile.prepare_s, timed=False)
            if stray := buffers.strays(packed):
                raise Fell(Fault.ALIAS, stray)
            found += buffers.results()
        return [f.float() for f in found], [k.float() for k in kept]


def _rows(found: list[Tensor], kept: list[Tensor], targets: list[Tensor]) -> list[QualityRow]:
    mine, exact = (
        [
            float(functional.cross_entropy(y.nan_to_num(0.0), t))
            for y, t in zip(ys, targets, strict=True)
        ]
        for ys in (found, kept)
    )
    blind = _blind(torch.cat(targets))
    loss, whole = statistics.fmean(mine), statistics.fmean(exact)
    upper, reason = non_inferiority([a - b for a, b in zip(mine, exact, strict=True)])
    retained = share(loss, blind, whole)
    if retained < FLOOR:
        reason = f"must retain {FLOOR:g} of the text model, got {retained:.2f}"
    together, before = torch.cat(found), torch.cat(kept)
    same = float((together.argmax(-1) == before.argmax(-1)).float().mean())
    apart = float((together - before).norm() / before.norm())
    plain = {"sequences": len(targets), "rows": _ROWS, "model": "mlp"}
    return [
        QualityRow(
            task="text",
            params={**plain, "blind": round(blind, 4), "upper_95": round(upper, 5)},
            metric="nats_per_byte",
            exact=whole,
            candidate=loss,
            retained=retained,
            floor=FLOOR,
            passed=retained >= FLOOR,
            reason=reason,
        ),
        QualityRow(
            task="agreement",
            params=dict(plain),
            metric="accuracy",
            exact=1.0,
            candidate=same,
            retained=same,
            floor=0.0,
            passed=True,
        ),
        QualityRow(
            task="output",
            params=dict(plain),
            metric="relative_l2",
            exact=0.0,
            candidate=apart,
            retained=max(0.0, 1 - apart),
            floor=0.0,
            passed=True,
        ),
    ]


def _blind(targets: Tensor) -> float:
    """Return the loss of a model that knows the frequency of bytes and looks at nothing."""
    train = torch.bincount(tasks.corpus(held_out=False), minlength=CLASSES).float() + 1
    return float(-(train / train.sum()).log()[targets].mean())
