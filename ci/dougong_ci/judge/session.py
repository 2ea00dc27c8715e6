"""One judgement from beginning to end: correctness of every operator, then speed by restarts."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

import dougong
from dougong import contracts
from dougong_ci.judge import host, ruling
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.child import Fell
from dougong_ci.judge.correctness import Correctness
from dougong_ci.judge.device import device
from dougong_ci.judge.discover import discover
from dougong_ci.judge.docket import Broken, Docket, Emit, Over
from dougong_ci.judge.heats import heats
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import JudgeRequest, Profile, draw_seed
from dougong_ci.judge.source import Source, opened
from dougong_ci.judge.speed import Bench, Race
from dougong_ci.judge.unpacking import NothingLeftError
from dougong_ci.quality.cost import time_lengths
from dougong_ci.quality.gate import Quality
from dougong_ci.report.edition import JUDGE
from dougong_ci.report.verdict import Verdict
from dougong_ci.sandbox import Cache, Mounts, Tier, probe, tuning

_LEAST_RESTARTS = 3
"""Before a machine is called busy."""


def judge(
    request: JudgeRequest,
    on_event: Emit = lambda _: None,
    on_verdict: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:
    """Judge every operator of a request.

    Args:
        request: What and how thoroughly.
        on_event: Told what happens as it happens; see the event kinds in `docs/api.md`.
        on_verdict: Given each verdict as soon as it stands.

    Returns:
        One verdict an operator, in the order found. An operator that hangs, crashes or lies costs
        itself its verdict and nobody else anything.

    Raises:
        SubmissionError: what was handed in is no plugin that can be read.
        SandboxError: no sandbox can be started on this machine.
        DeviceError: the device asked for is not there.
    """
    with opened(request) as sources, _one_thread():
        verdicts = []
        for source in sources:
            verdicts += Session(request, source, on_event, on_verdict).run()
        if not verdicts:
            raise NothingLeftError("no operator of the target is left to judge; see `dougong list`")
        return verdicts


class Session:
    """The judgement of one distribution."""

    def __init__(
        self,
        request: JudgeRequest,
        source: Source,
        on_event: Emit,
        on_verdict: Callable[[Verdict], None],
    ) -> None:
        self._request = request
        self._profile = request.profile
        self._source = source
        self._emit = on_event
        self._on_verdict = on_verdict
        self._seed = draw_seed() if request.seed is None else request.seed
        self._tier: Tier = probe()
        self._trusted = Mounts()
        self._device = device(request.device)
        clocks = {f"{name}_before": value for name, value in self._device.clocks().items()}
        self._before = {"load_before": host.load(), **clocks}
        self._verdicts: list[Verdict] = []
        self._finishing = threading.Lock()

    def run(self) -> list[Verdict]:
        """Run everything and return the verdicts."""
        with Cache() as cache, Cache() as trusted:
            plugin = Mounts(plugin=self._source.folder, extra=self._source.extra, cache=cache)
            # The baselines compile only where everything is timed under the compiler too.
            self._trusted = Mounts(cache=trusted) if self._profile.every_mode else Mounts()
            with self._party(plugin, pinned=False) as party:
                dockets = self._dockets(party)
                # Nothing is timed here; compilers take longest, so what they do comes first.
                queue = collections.deque(sorted(dockets, key=_longest_first))
                with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as two:
                    beside = two.submit(self._second_lane, queue, plugin)
                    self._lane(queue, party)
                    beside.result()
            self._measure([d for d in dockets if not d.finished], plugin)
        return self._verdicts

    def _second_lane(self, queue: collections.deque[Docket], plugin: Mounts) -> None:
        if len(queue) > 1:
            with self._party(plugin, pinned=False) as party:
                self._lane(queue, party)

    def _lane(self, queue: collections.deque[Docket], party: Party) -> None:
        """Run the correctness gates of one operator after the other, until none is left."""
        if any(_loads_compiler(docket) for docket in queue):
            party.preload_compiler()
        with contextlib.suppress(IndexError):
            while True:
                docket = queue.popleft()
                if not docket.unavailable:
                    Correctness.sandboxed(docket, party, self._profile).run()
                    Quality(docket, party, self._profile).run()
                if docket.standing and ruling.is_timed(docket):
                    continue
                if docket.standing:
                    ruling.rule_untimed(docket)
                self._finish(docket)

    def _dockets(self, party: Party) -> list[Docket]:
        found = discover(self._source, party, self._request)
        self._emit(
            {
                "kind": "discovered",
                "operators": [dataclasses.asdict(each.operator) for each in found],
            }
        )
        answers: dict[str, Answers] = {}
        dockets = []
        for each in sorted(found, key=lambda f: f.operator.contract):
            contract = contracts.contract(each.operator.contract)
            mine = answers.setdefault(contract.id, Answers(contract, self._seed, self._device))
            docket = Docket(each.operator, self._source, mine, self._emit)
            docket.unavailable = each.unavailable
            if (place := self._device.name) not in each.operator.devices:
                docket.unavailable = f"runs on {', '.join(each.operator.devices)}, not on {place}"
            dockets.append(docket)
        return dockets

    def _measure(self, dockets: list[Docket], plugin: Mounts) -> None:
        """Restart by restart, measure those that stand; then rule on each."""
        standing = dockets
        done = 0
        for look in self._profile.looks:
            for restart in range(done, look):
                if standing:
                    self._restart(standing, plugin, restart)
                standing = [d for d in standing if d.standing]
                self._rule([d for d in dockets if not d.standing])
                # More restarts do not mend a busy machine; a later judgement may.
                if restart + 1 >= _LEAST_RESTARTS:
                    self._rule([d for d in standing if ruling.busy(list(d.speed.values()))])
                standing = [d for d in standing if not d.finished]
            done = look
            self._rule([d for d in standing if ruling.settled(d, self._seed)])
            standing = [d for d in standing if not d.finished]
        self._rule(dockets)

    def _restart(self, dockets: list[Docket], plugin: Mounts, restart: int) -> None:
        many = f"{len(dockets)} operator{'s' * (len(dockets) != 1)}"
        self._emit({"kind": "progress", "message": f"speed, restart {restart + 1}: {many}"})
        compiles = any(_loads_compiler(docket, self._profile) for docket in dockets)
        with self._bench(plugin, compiles=compiles) as bench:
            for answers, group in itertools.groupby(dockets, lambda docket: docket.answers):
                for docket in group:
                    self._race(docket, bench, restart)
                answers.forget()

    def _rule(self, dockets: list[Docket]) -> None:
        for docket in dockets:
            if docket.finished:
                continue
            if docket.standing and docket.speed:
                ruling.rule_on_speed(docket, self._seed)
            self._finish(docket)

    def _race(self, docket: Docket, bench: Bench, restart: int) -> None:
        """Measure one operator in one restart; a fall ends its trial."""
        seed = docket.answers.seed("race", docket.operator.name, str(restart))
        source = random.Random(seed)  # noqa: S311 - seeded by the secret, repeatable afterwards
        children = bench.spawn(source)
        correctness = Correctness.sandboxed(docket, bench.candidate, self._profile)
        with contextlib.suppress(Over):
            try:
                correctness.check_again(children["candidate"])
                for heat in heats(docket, self._profile):
                    Race(docket, heat, bench, children, self._profile, source).run(restart)
                if restart == 0:
                    time_lengths(docket, bench.parties, children, self._profile, source)
            except (Broken, Fell) as wrong:
                name = "determinism" if "another process" in str(wrong) else "speed"
                with docket.gate(name):
                    raise wrong
        bench.drop()

    @contextlib.contextmanager
    def _bench(self, plugin: Mounts, *, compiles: bool) -> Iterator[Bench]:
        with contextlib.ExitStack() as stack:
            mounts = {"baseline": self._trusted, "control": self._trusted, "candidate": plugin}
            # All three start at once, in any order: which pages of memory a process gets depends
            # on who asked before, and stays the same over restarts where the order does.
            order = random.sample(list(mounts), len(mounts))
            parties = {name: stack.enter_context(self._party(mounts[name])) for name in order}
            if compiles:
                # All three alike: what is loaded must not tell candidate from baseline.
                for party in parties.values():
                    party.preload_compiler()
            for party in parties.values():
                party.wait_ready()
            yield Bench(parties)

    def _party(self, mounts: Mounts, *, pinned: bool = True) -> Party:
        cpu = host.runner_cpu() if pinned else None
        return Party(self._tier, mounts, self._profile, cpu, self._device)

    def _finish(self, docket: Docket) -> None:
        docket.finished = True
        verdict = ruling.assemble(docket, self._request, self._about(), self._before)
        with self._finishing:
            self._verdicts.append(verdict)
            self._on_verdict(verdict)

    def _about(self) -> dict[str, Any]:
        return {
            "version": JUDGE,
            "dougong": dougong.__version__,
            "profile": self._profile.name,
            "seed": self._seed,
            "sandbox": self._tier.name,
            "sandbox_detail": self._tier.detail,
            "fit_for_board": self._tier.isolated and self._profile.board,
            "environment": tuning(),
            "repeat": self._request.repeat,
        }


def _compiles(docket: Docket) -> bool:
    return "c++-compiler" in docket.operator.needs


def _loads_compiler(docket: Docket, profile: Profile | None = None) -> bool:
    """Say whether a call imports torch.compile's modules, for seconds, as torch.optim does."""
    if profile is not None and any(heat.mode == "compiled" for heat in heats(docket, profile)):
        return True
    return _compiles(docket) or docket.answers.contract.id.startswith("optimizer.")


def _longest_first(docket: Docket) -> int:
    """Rank backends, which compile whole models, before kernels compiled, before the rest."""
    return -2 * docket.answers.contract.id.startswith("backend.") - _compiles(docket)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread, so that the judge's own pool never disturbs a timed call."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
