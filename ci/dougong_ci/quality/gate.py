"""The gate "quality" of approximate contracts, by what kind of operator it is."""

from __future__ import annotations

from typing import Any

from dougong_ci.judge.docket import Broken, Docket, Over
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.quality.aliases import signature
from dougong_ci.quality.attention import AttentionQuality
from dougong_ci.quality.optimizers import OptimizerQuality
from dougong_ci.quality.quantized import TransformQuality
from dougong_ci.quality.rows import failure, summary


class Quality:
    """What one operator keeps of tasks that the exact one solves.

    Needs a docket whose correctness gates have run; what it finds is in `docket.quality`, and the
    calls to be timed in `docket.sent`.
    """

    def __init__(self, docket: Docket, party: Party, profile: Profile) -> None:
        self._docket, self._party, self._profile = docket, party, profile

    def run(self) -> None:
        """Run the gate, or skip it where nothing is asked; an operator's fall is its finding."""
        docket = self._docket
        contract = docket.answers.contract
        if contract.equivalence == "exact":
            docket.skip("quality", "an exact contract trades no quality", required=False)
        elif not docket.standing:
            docket.skip("quality", "not run: an earlier gate failed")
        elif contract.id.startswith(("attention.", "transform.", "optimizer.")):
            self._examine()
        else:
            docket.skip("quality", f"no task is known for {contract.id}", required=False)
        self._party.drop()

    def _examine(self) -> None:
        docket = self._docket
        try:
            with docket.gate("quality") as gate:
                self._sit()
                if wrong := failure(docket.quality):
                    raise Broken(wrong)
                gate.summary = summary(docket.quality)
                if docket.answers.contract.family == "optimizer":
                    gate.measurements["signature"] = signature(docket, self._party, self._profile)
        except Over:
            return

    def _sit(self) -> None:
        docket, party, profile = self._docket, self._party, self._profile
        examiners: dict[str, Any] = {"transform": TransformQuality, "optimizer": OptimizerQuality}
        if (family := docket.answers.contract.family) in examiners:
            docket.quality += examiners[family](docket, party, profile).rows()
            return
        exam = AttentionQuality(docket, party, profile)
        docket.quality += exam.rows()
        docket.sent = exam.sent
