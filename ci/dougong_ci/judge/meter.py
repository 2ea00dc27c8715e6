"""The audit of one workload's rounds: processor time, waiting for a processor, memory.

A candidate is pinned to one processor and frozen out of its turn. If a thread of it may run on
another, or everything in its sandbox together used more processor time than its turns lasted, it
computed elsewhere or at other times, and its times say nothing. If judge or runners had to wait for
a processor, the machine was busy, and nobody's times say anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator, Mapping

from dougong_ci.judge import activity
from dougong_ci.judge.party import Party
from dougong_ci.report.verdict import SpeedCase

CPU_SHARE = 1.05
"""Processor time over the time of its turns that one pinned process can explain."""
SLACK_S = 0.003
"""For the freezing and thawing itself, which the sandbox's own server does."""
TICKS_S = 0.03
"""Added where there is no control group: a process's own accounts are kept in ticks of 10 ms."""


@dataclasses.dataclass(frozen=True, slots=True)
class Readings:
    """What one restart of one workload came to."""

    cpu_s: float | None
    slack_s: float
    turns_s: float
    waiting_share: float | None
    peak_bytes: int
    baseline_peak_bytes: int
    elsewhere: frozenset[int] = frozenset()
    """Processors open to the candidate that it was not pinned to."""

    @property
    def trespass(self) -> str:
        """Why the candidate's times are not to be trusted, or nothing."""
        if self.elsewhere:
            others = ", ".join(map(str, sorted(self.elsewhere)))
            return f"it let itself run on processor {others}, to which it was not pinned"
        if self.cpu_s is None or self.cpu_s <= CPU_SHARE * self.turns_s + self.slack_s:
            return ""
        return (
            f"its sandbox used {self.cpu_s:.3f} s of processor time in turns of {self.turns_s:.3f}"
            " s: it computes outside its turn or on other processors than its own"
        )

    def add_to(self, case: SpeedCase) -> None:
        """Append to the records of a speed case."""
        if self.cpu_s is not None:
            case.cpu_share.append(self.cpu_s / self.turns_s if self.turns_s else 0.0)
        if self.waiting_share is not None:
            case.waiting_share.append(self.waiting_share)
        case.peak_bytes.append(self.peak_bytes)
        case.baseline_peak_bytes.append(self.baseline_peak_bytes)


class Meter:
    """Reads the accounts of the parties' processes before and after the rounds that count."""

    def __init__(self, parties: Mapping[str, Party]) -> None:
        self._parties = parties
        self._kept = activity.kept()
        self._turns_s = 0.0
        self._began_s = self._span_s = 0.0
        self._cpu_s: float | None = None
        self._waited_s = 0.0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Count the time that the candidate has the floor."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._turns_s += time.perf_counter() - begin

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Take the readings around the rounds that count."""
        self._turns_s = 0.0
        cpu_s, waited_s, began = self._cpu(), self._waited(), time.perf_counter()
        yield
        self._span_s = time.perf_counter() - began
        self._waited_s = self._waited() - waited_s
        after_s = self._cpu()
        if cpu_s is not None and after_s is not None:
            self._cpu_s = after_s - cpu_s

    def readings(self) -> Readings:
        """Return what was read."""
        # At any moment two are at work: the judge, at its clock, and the one that is timed (for a
        # third of the time the candidate, whose waiting is left out).
        share = self._waited_s / (2 * self._span_s) if self._kept and self._span_s else None
        return Readings(
            cpu_s=self._cpu_s,
            slack_s=SLACK_S + TICKS_S * (self._parties["candidate"].cpu_time_s() is None),
            turns_s=self._turns_s,
            waiting_share=share,
            peak_bytes=self._peak("candidate"),
            baseline_peak_bytes=self._peak("baseline"),
            elsewhere=self._elsewhere(),
        )

    def _cpu(self) -> float | None:
        """Return the processor time of the candidate's sandbox; of its processes where no more."""
        party = self._parties["candidate"]
        if (total_s := party.cpu_time_s()) is not None:
            return total_s
        return activity.usage(party.operator_pids()).cpu_s if self._kept else None

    def _waited(self) -> float:
        """Return how long the judge's thread and the trusted parties waited for a processor.

        The candidate's own threads may wait for each other's; that is its business.
        """
        trusted = [self._parties[name] for name in ("baseline", "control")]
        pids = [pid for party in trusted for pid in party.operator_pids()]
        mine_s = activity.thread_waited_s(threading.get_native_id())
        return mine_s + activity.usage(pids).waited_s

    def _elsewhere(self) -> frozenset[int]:
        """Return where else the candidate's threads may run; it is frozen, so they stay put."""
        party = self._parties["candidate"]
        if party.cpu is None:
            return frozenset()
        return frozenset(activity.processors(party.operator_pids()) - {party.cpu})

    def _peak(self, name: str) -> int:
        pids = self._parties[name].operator_pids()
        return sum(map(activity.peak_bytes, pids))
