"""The questions of one judgement, and what exact attention and none at all make of them.

They depend on the secret seed alone, so that every operator of a contract sits the same exam and
the exact answers are worked out once.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dougong.contracts.attention.exact import attention_torch
from dougong.contracts.sampling import generator
from dougong_ci.quality import tasks
from dougong_ci.quality.model import FINDER, LM, READER, Attend, Spec, TaskModel, trained
from dougong_ci.quality.tasks import Batch

_LOCK = threading.Lock()
RETRIEVAL = "structure:retrieval"
LOCAL = "structure:local"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One thing asked, at one length."""

    name: str
    spec: Spec
    length: int
    draw: Callable[[int, Generator], Batch]
    """(sequences, source) -> questions."""
    count: int
    """Sequences; of text, each is one draw of the non-inferiority test."""
    needs: tuple[str, ...] = (RETRIEVAL,)
    """Declared fidelities of which one is enough to be held to the floor."""
    params: tuple[tuple[str, int], ...] = ()
    is_padded: bool = False

    @property
    def metric(self) -> str:
        """Return what is counted."""
        return "nats_per_byte" if self.spec is LM else "accuracy"

    @property
    def mask(self) -> str:
        """Return what hides keys."""
        return "causal" if self.spec.is_causal else "padding" if self.is_padded else "none"

    @property
    def mask_feature(self) -> str:
        """Return the feature an operator must have to be asked."""
        return "mask:boolean" if self.is_padded else f"mask:{self.mask}"


@dataclasses.dataclass(frozen=True)
class Paper:
    """A task with its questions and the scores, one a sequence, that an operator lies between."""

    task: Task
    batch: Batch
    exact: list[float]
    blind: list[float]
    """With the mean of the visible values in place of attention."""
    needle_weight: float = 0.0
    """Mean weight that exact attention puts on the needle, in its best head; 0 if there is none."""


@dataclasses.dataclass(frozen=True)
class Exam:
    """All papers, the models, and queries, keys and values of the language model."""

    papers: list[Paper]
    models: dict[str, TaskModel]
    inputs: dict[int, list[tuple[Tensor, Tensor, Tensor]]]
    """By length, (q, k, v) of each layer of the language model over one window of text."""


def exact(*, is_causal: bool) -> Attend:
    """Return exact attention."""

    def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None) -> Tensor:
        return attention_torch(q_BHTD, k_BHTD, v_BHTD, mask=mask, is_causal=is_causal)

    return attend


def blind(*, is_causal: bool) -> Attend:
    """Return the mean of the visible values: attention that looks at nothing."""

    def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None) -> Tensor:
        T = v_BHTD.shape[2]
        if is_causal and mask is None:
            return v_BHTD.cumsum(2) / torch.arange(1, T + 1).unsqueeze(1)
        if is_causal:
            raise ValueError("no task is both causal and padded; the mask must be None")
        kept_BHT1 = torch.ones(1, 1, T, 1) if mask is None else mask.mT.float()
        mean_BH1D = (v_BHTD * kept_BHT1).sum(2, keepdim=True) / kept_BHT1.sum(2, keepdim=True)
        return mean_BH1D.expand_as(v_BHTD)

    return attend


def standard(profile: str) -> list[Task]:
    """Return the tasks of a profile. All lengths that are timed are among them."""
    few, many = {"quick": (5, 4), "full": (24, 32)}.get(profile, (8, 8))
    found = [
        Task(
            name="text",
            spec=LM,
            length=T,
            draw=functools.partial(_drawn, tasks.text, T, ()),
            count=few,
            needs=(LOCAL, RETRIEVAL),
        )
        for T in (256, 1024)
    ]
    for T, pairs in ((256, 16), (1024, 16), (1024, 64)):
        found.append(_task("recall", FINDER, T, tasks.recall, many, pairs=pairs))
    for T, length in ((256, 32), (1024, 64)):
        found.append(_task("copy", FINDER, T, tasks.copy, many, string=length))
    found += [_task("needle", FINDER, T, tasks.needle, 2 * many, needles=1) for T in (256, 1024)]
    found.append(_task("needle", FINDER, 4096, tasks.needle, many // 2, needles=2))
    found.append(_task("recall", READER, 512, _anywhere, many, pairs=32))
    found.append(_task("needle", READER, 512, tasks.needle, 2 * many, needles=1))
    padded = _task("recall", READER, 256, _padded, many, pairs=16)
    found.append(dataclasses.replace(padded, is_padded=True))
    return found


def _task(
    name: str, spec: Spec, T: int, draw: Callable[..., Batch], count: int, **params: int
) -> Task:
    return Task(
        name=name,
        spec=spec,
        length=T,
        draw=functools.partial(_drawn, draw, T, tuple(params.values())),
        count=count,
        params=tuple(params.items()),
    )


def _drawn(
    draw: Callable[..., Batch], T: int, sizes: tuple[int, ...], count: int, source: Generator
) -> Batch:
    return draw(count, T, *sizes, source)


def _anywhere(count: int, T: int, pairs: int, source: Generator) -> Batch:
    return tasks.recall(count, T, pairs, source, ordered=False)


def _padded(count: int, T: int, pairs: int, source: Generator) -> Batch:
    return tasks.padded(_anywhere(count, T, pairs, source), source)


def scores(net: TaskModel, task: Task, batch: Batch, attend: Attend) -> list[float]:
    """Return the score of every sequence: share of right answers, or nats a byte.

    A sequence that asks nothing is left out.
    """
    with torch.no_grad():
        logits_BTV = net(batch.tokens_BT, attend, batch.mask)
    found = []
    for logits_TV, targets_T in zip(logits_BTV, batch.targets_BT, strict=True):
        asked = targets_T != tasks.IGNORED
        if not bool(asked.any()):
            continue
        if task.metric == "accuracy":
            right = logits_TV[asked].argmax(-1) == targets_T[asked]
            found.append(float(right.float().mean()))
        else:
            # What is not finite is as bad as can be, and still a number.
            loss = functional.cross_entropy(logits_TV[asked].nan_to_num(0.0), targets_T[asked])
            found.append(float(loss))
    return found


def exam(seed: int, profile: str) -> Exam:
    """Return the exam of a seed; the last few are kept."""
    with _LOCK:
        return _exam(seed, profile)


@functools.lru_cache(maxsize=2)
def _exam(seed: int, profile: str) -> Exam:
    models = {spec.name: trained(spec) for spec in (LM, FINDER, READER)}
    papers = [
        _paper(task, models[task.spec.name], generator(seed, "quality", str(i)))
        for i, task in enumerate(standard(profile))
    ]
    inputs = {
        T: captured(models[LM.name], tasks.text(1, T, generator(seed, "inputs", str(T))))
        for T in (256, 1024)
    }
    return Exam(papers, models, inputs)


def _paper(task: Task, net: TaskModel, source: Generator) -> Paper:
    batch = task.draw(task.count, source)
    causal = task.spec.is_causal
    mix, weights_B = exact(is_causal=causal), torch.zeros(task.count)

    def looked_at(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None) -> Tensor:
        if batch.where_B is not None:
            mine_B = _weight_at(q_BHTD, k_BHTD, batch.where_B)
            torch.maximum(weights_B, mine_B, out=weights_B)
        return mix(q_BHTD, k_BHTD, v_BHTD, mask=mask)

    return Paper(
        task,
        batch,
        scores(net, task, batch, looked_at),
        scores(net, task, batch, blind(is_causal=causal)),
        float(weights_B.mean()),
    )


def _weight_at(q_BHTD: Tensor, k_BHTD: Tensor, where_B: Tensor) -> Tensor:
    """Return the exact weight of one key for the last query, in the best head, (B,)."""
    logits_BHS = (k_BHTD @ q_BHTD[:, :, -1:].mT).squeeze(-1) / q_BHTD.shape[-1] ** 0.5
    weight_BHS = logits_BHS.softmax(-1)
    weight_B: Tensor = weight_BHS[torch.arange(len(where_B)), :, where_B].amax(-1)
    return weight_B


def captured(net: TaskModel, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return queries, keys and values of every layer in an exact pass."""
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    mix = exact(is_causal=net.spec.is_causal)

    def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None) -> Tensor:
        kept.append((q_BHTD, k_BHTD, v_BHTD))
        return mix(q_BHTD, k_BHTD, v_BHTD, mask=mask)

    with torch.no_grad():
        net(batch.tokens_BT, attend, batch.mask)
    return kept
