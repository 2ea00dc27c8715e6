"""Put installed operators through the quality tasks alone: `python -m dougong_ci.quality NAME`.

A verdict is made by `dougong judge`, which runs the same after its other gates.
"""

from __future__ import annotations

import random
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.text import Text

from dougong import contracts
from dougong_ci.judge import PROFILES, JudgeRequest
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.discover import discover
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import draw_seed
from dougong_ci.judge.source import Source, opened
from dougong_ci.quality.cost import pareto, time_lengths
from dougong_ci.quality.gate import Quality
from dougong_ci.quality.show import tables
from dougong_ci.sandbox import Mounts, probe


def main(
    name: Annotated[str, typer.Argument(help="An installed operator, plugin or distribution.")],
    profile: Annotated[str, typer.Option(help="quick, standard or full.")] = "standard",
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat an exam.")] = None,
) -> None:
    """Show what approximate operators keep of the tasks, and at what speed."""
    if profile not in PROFILES:
        raise typer.BadParameter(f"--profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    torch.set_num_threads(1)
    request = JudgeRequest(installed=(name,), profile=PROFILES[profile], seed=seed)
    with opened(request) as sources:
        for source in sources:
            _examine(source, request, draw_seed() if seed is None else seed)


def _examine(source: Source, request: JudgeRequest, seed: int) -> None:
    mounts = {
        "baseline": Mounts(),
        "candidate": Mounts(plugin=source.folder, extra=source.extra),
    }
    tier, console = probe(), Console(highlight=False)
    answers: dict[str, Answers] = {}
    with (
        Party(tier, mounts["baseline"], request.profile, None) as baseline,
        Party(tier, mounts["candidate"], request.profile, None) as candidate,
    ):
        for found in discover(source, candidate, request):
            contract = contracts.contract(found.operator.contract)
            if contract.equivalence == "exact" or found.unavailable:
                continue
            mine = answers.setdefault(contract.id, Answers(contract, seed))
            docket = Docket(found.operator, source, mine, lambda _: None)
            Quality(docket, candidate, request.profile).run()
            _time(docket, {"baseline": baseline, "candidate": candidate}, request)
            gate = docket.gates["quality"]
            style = "green" if gate.outcome == "passed" else "red"
            line = f"{found.operator.name}  {gate.outcome.value}  {gate.summary}"
            console.print(Text(f"{line}  ({gate.duration_s:.1f} s)", style=style))
            console.print(tables(docket.quality, pareto(docket.quality, docket.lengths)), Text(""))


def _time(docket: Docket, parties: dict[str, Party], request: JudgeRequest) -> None:
    if not docket.sent:
        return
    children = {name: party.spawn() for name, party in parties.items()}
    parties["candidate"].freeze()
    source = random.Random(docket.answers.seed("lengths"))  # noqa: S311 - seeded, repeatable afterwards
    time_lengths(docket, parties, children, request.profile, source)
    for party in parties.values():
        party.drop()


if __name__ == "__main__":
    typer.run(main)
