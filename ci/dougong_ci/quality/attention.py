"""The gate "quality": what an approximation keeps of tasks that exact attention solves.

The judge runs tiny trained transformers itself and sends each of their attention calls to the
sandbox. Every task gives a row: the score with exact attention, the score with the operator in its
place, and the share retained between no attention (the mean of the visible values) and exact.

What the floor means. An approximation is a trade, and where it stands between useless and exact is
its position on a Pareto front, not a matter of passing. The gate fails only what does not do what
it was declared for:

- An operator that lists no features, or lists `structure:retrieval`, says that it finds few keys
  among many. It must retain `RETRIEVAL_FLOOR` of every retrieval task (recall, copy, needle) at
  every length, and `TEXT_FLOOR` of plain text. It fails where even the upper
  95 % bound of what it answers is below: it finds less than a random quarter of the keys would.
- One that lists `structure:local` and not retrieval must retain `TEXT_FLOOR` of plain text; what it
  makes of retrieval is reported.
- One that lists neither (linear attention: trained with its own kind of attention it works, put
  into a model trained with another it does not) must point the way: its output must depart from the
  mean of the values in the direction in which the exact output does, with a cosine of
  `DIRECTION_FLOOR`. So must the others. What looks at nothing has 0.

Text is judged by non-inferiority, too: the upper 95 % bound of the difference in loss over
independent draws of held-out text is at most 0.02 nats a byte, or it is not. That is said in the
row's reason and costs nobody the gate.
"""

from __future__ import annotations

import random
import statistics

from dougong.contracts.sampling import generator
from dougong_ci.judge.correctness import asked
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.heats import speed_dtypes
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.quality.adapt import LENGTH, RATES, STEPS, TrainThrough, adapted
from dougong_ci.quality.exam import Exam, Paper, Task, exam, scores
from dougong_ci.quality.model import LM
from dougong_ci.quality.output import OutputError, output_error
from dougong_ci.quality.rows import at_most, non_inferiority, share
from dougong_ci.quality.sent import Sent
from dougong_ci.quality.tasks import IGNORED
from dougong_ci.quality.through import Through
from dougong_ci.report.verdict import QualityRow

RETRIEVAL_FLOOR = 0.25
"""What a random quarter of the keys would retain, which takes no choosing."""
TEXT_FLOOR = 0.5
DIRECTION_FLOOR = 0.2


class AttentionQuality:
    """The exam of one approximate attention, in a fresh process of the candidate's sandbox."""

    def __init__(self, docket: Docket, party: Party, profile: Profile) -> None:
        self._docket, self._party, self._profile = docket, party, profile
        self._features = set(docket.operator.features)
        self.sent: dict[int, list[Sent]] = {}
        """Calls of the tasks by length, to be timed afterwards."""

    def rows(self) -> list[QualityRow]:
        """Put every task that the operator's masks allow, and return the rows.

        Raises:
            Fell: the operator fell.
        """
        docket = self._docket
        contract = docket.answers.contract
        self._exam = exam(docket.answers.seed("quality"), self._profile.name)
        through = Through(
            self._party,
            contract,
            docket.operator.target,
            dtype=speed_dtypes(docket)[0],
            limit_s=self._profile.call_s,
            workloads=asked(contract, docket.operator, contract.workloads, "speed"),
            seed=docket.answers.seed("quality", docket.operator.name),
        )
        papers = [p for p in self._exam.papers if self._may(p.task.mask_feature)]
        # In a secret order: nothing can be told from what came before.
        order = list(range(len(papers)))
        random.Random(docket.answers.seed("order", docket.operator.name)).shuffle(order)  # noqa: S311 - seeded by the secret, repeatable afterwards
        found = {i: self._row(papers[i], through) for i in order}
        rows = [found[i] for i in range(len(papers))]
        if self._may("mask:causal"):
            rows += self._output_rows(self._exam, through)
        self.sent = through.sent
        if self._profile.name == "full" and self._is_trainable():
            rows.append(self._adapted_row())
        return rows

    def _is_trainable(self) -> bool:
        operator = self._docket.operator
        fits = self._may("mask:causal") and "float32" in operator.dtypes
        return fits and operator.gradients != "none"

    def _adapted_row(self) -> QualityRow:
        docket = self._docket
        way = TrainThrough(
            self._party.spawn(),
            docket.answers.contract,
            docket.operator.target,
            self._profile.call_s,
        )
        net = self._exam.models[LM.name]
        found = adapted(net, way.attend, docket.answers.seed("quality"))
        blind = next(p.blind for p in self._exam.papers if p.task.name == "text")
        return QualityRow(
            task="adapted",
            params={"length": LENGTH, "steps": STEPS, "rates": len(RATES), "rate": found.rate},
            metric="nats_per_byte",
            exact=found.exact,
            candidate=found.candidate,
            retained=share(found.candidate, statistics.fmean(blind), found.exact),
            floor=0.0,
            passed=True,
            reason=f"loss {found.candidate - found.exact:+.3f} after both were trained on",
        )

    def _may(self, feature: str) -> bool:
        return not self._features or feature in self._features

    def _row(self, paper: Paper, through: Through) -> QualityRow:
        task = paper.task
        net = self._exam.models[task.spec.name]
        found = scores(net, task, paper.batch, through.attend(is_causal=task.spec.is_causal))
        exact, blind, mine = (statistics.fmean(each) for each in (paper.exact, paper.blind, found))
        retained = share(mine, blind, exact)
        floor = self._floor(task)
        questions = int(paper.batch.targets_BT.ne(IGNORED).sum())
        most = (
            retained if task.metric != "accuracy" else share(at_most(mine, questions), blind, exact)
        )
        reason = ""
        params: dict[str, object] = {"length": task.length, **dict(task.params)}
        params |= {"mask": task.mask, "model": task.spec.name}
        params |= {"sequences": len(found), "blind": round(blind, 4)}
        if task.metric == "nats_per_byte":
            differences = [a - b for a, b in zip(found, paper.exact, strict=True)]
            upper, reason = non_inferiority(differences)
            params["upper_95"] = round(upper, 5)
        if task.name == "needle":
            params["needle_weight"] = round(paper.needle_weight, 3)
            params["found_at"] = [round(score, 2) for score in found]
        if most < floor:
            reason = (
                f"{task.name} at {task.length} tokens must retain {floor:g} of exact attention's, "
                f"got {retained:.2f} (at most {most:.2f})"
            )
        return QualityRow(
            task=task.name,
            params=params,
            metric=task.metric,
            exact=exact,
            candidate=mine,
            retained=retained,
            floor=floor,
            passed=most >= floor,
            reason=reason,
        )

    def _floor(self, task: Task) -> float:
        if self._features and not self._features & set(task.needs):
            return 0.0
        return TEXT_FLOOR if task.name == "text" else RETRIEVAL_FLOOR

    def _output_rows(self, paper: Exam, through: Through) -> list[QualityRow]:
        rows = []
        for T, layers in paper.inputs.items():
            source = generator(self._docket.answers.seed("quality"), "mass", str(T))
            rows += _as_rows(T, output_error(layers, through.attend(is_causal=True), source))
        return rows


def _as_rows(T: int, error: OutputError) -> list[QualityRow]:
    followed = error.cosine >= DIRECTION_FLOOR
    reason = (
        ""
        if followed
        else (
            f"at {T} tokens the output must depart from the mean of the values as the exact one "
            f"does: cosine must be >= {DIRECTION_FLOOR}, got {error.cosine:.2f}"
        )
    )
    plain = {"length": T}
    return [
        QualityRow(
            task="output",
            params={**plain, "p99": round(error.p99, 4)},
            metric="relative_l2",
            exact=0.0,
            candidate=error.relative_l2,
            retained=max(0.0, 1 - error.relative_l2),
            floor=0.0,
            passed=True,
        ),
        QualityRow(
            task="output",
            params=plain,
            metric="cosine",
            exact=1.0,
            candidate=error.cosine,
            retained=max(0.0, error.cosine),
            floor=DIRECTION_FLOOR,
            passed=followed,
            reason=reason,
        ),
        QualityRow(
            task="output",
            params=plain,
            metric="mass_recall",
            exact=1.0,
            candidate=error.mass_recall,
            retained=error.mass_recall,
            floor=0.0,
            passed=True,
        ),
    ]
