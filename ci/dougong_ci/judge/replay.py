"""A stored verdict judged again with its revealed seed: the same inputs, the same questions.

On the same machine the accuracy numbers must come out bit for bit, because the seed fixes every
input and one thread fixes every order of summation. Times never repeat; what must repeat of them
is what the gates say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from dougong import contracts
from dougong.errors import DougongError
from dougong_ci.judge import host
from dougong_ci.judge.docket import Emit
from dougong_ci.judge.request import PROFILES, JudgeRequest
from dougong_ci.judge.session import judge
from dougong_ci.judge.source import SubmissionError, file_digest, installed
from dougong_ci.report.edition import JUDGE
from dougong_ci.report.verdict import AccuracyRow, Verdict

Fetch = Callable[[str, Path], Path]
"""(sha256, folder) -> the wheel, downloaded into the folder."""


class ReplayError(DougongError):
    """The verdict cannot be judged again here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """A verdict and its repetition."""

    stored: Verdict
    found: Verdict

    @property
    def gates(self) -> list[tuple[str, str, str]]:
        """Name, outcome stored and outcome found of every gate of either."""
        before = {gate.name: str(gate.outcome) for gate in self.stored.gates}
        after = {gate.name: str(gate.outcome) for gate in self.found.gates}
        names = dict.fromkeys([*before, *after])
        return [(name, before.get(name, "absent"), after.get(name, "absent")) for name in names]

    @property
    def changed_rows(self) -> list[str]:
        """Accuracy rows with any number that is not bit-equal, or that only one side has."""
        before, after = (_keyed(each.accuracy) for each in (self.stored, self.found))
        return [
            " ".join(map(str, key))
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]

    @property
    def same(self) -> bool:
        """Whether it came out the same: every gate's outcome, every accuracy number."""
        return not self.changed_rows and all(one == other for _, one, other in self.gates)


def replay(
    verdict: Verdict,
    *,
    path: Path | None = None,
    fetch: Fetch | None = None,
    folder: Path,
    on_event: Emit = lambda _: None,
) -> Replay:
    """Judge the subject of a verdict again, with its seed and profile.

    Args:
        verdict: As stored.
        path: The wheel it is of; None looks among what is installed, then asks `fetch`.
        fetch: Downloads a wheel by its hash, where a hub is configured.
        folder: For a download.
        on_event: Told what happens as it happens.

    Raises:
        ReplayError: another judge, another contract, or the subject's bytes are not at hand.
    """
    _refuse_other_rules(verdict)
    name = str(verdict.subject.operator["name"])
    request = JudgeRequest(
        path=(found := _subject(verdict, path, fetch, folder)),
        installed=() if found else (verdict.subject.distribution,),
        operators=(name,),
        profile=PROFILES[str(verdict.judge["profile"])],
        seed=int(verdict.judge["seed"]),
        device=verdict.device,
        repeat=str(verdict.judge.get("repeat", "")),
    )
    (again,) = judge(request, on_event)
    return Replay(verdict, again)


def machine_differs(verdict: Verdict) -> str:
    """Say in what this machine differs from the verdict's so that bits may too, or nothing."""
    mine = host.fingerprint()
    names = ("cpu", "torch", "cpu_capability", "python")
    found = [
        f"{name} {verdict.fingerprint.get(name)} then, {mine[name]} now"
        for name in names
        if verdict.fingerprint.get(name) != mine[name]
    ]
    return "; ".join(found)


def _refuse_other_rules(verdict: Verdict) -> None:
    made = verdict.judge
    if made.get("version") != JUDGE:
        raise ReplayError(
            f"the verdict is of judge {made.get('version')}, this is judge {JUDGE}; "
            f"install dougong=={made.get('dougong')} to repeat it"
        )
    if made.get("profile") not in PROFILES:
        raise ReplayError(f"this judge has no profile {made.get('profile')!r}")
    if verdict.contract not in contracts.ids():
        raise ReplayError(f"this release has no contract {verdict.contract}")
    if (digest := contracts.contract(verdict.contract).digest) != verdict.contract_digest:
        raise ReplayError(
            f"{verdict.contract} has digest {digest[:12]} here, {verdict.contract_digest[:12]} in "
            f"the verdict; install dougong=={made.get('dougong')} to repeat it"
        )


def _subject(verdict: Verdict, path: Path | None, fetch: Fetch | None, folder: Path) -> Path | None:
    """Return the wheel with the verdict's bytes, or None where they are installed."""
    wanted = verdict.subject.sha256
    if path is not None:
        if not path.is_file():
            raise ReplayError(f"--wheel must name the wheel that was judged, got {path}")
        if (found := file_digest(path)) != wanted:
            raise ReplayError(
                f"{path.name} has sha256 {found[:12]}, the verdict is of {wanted[:12]}"
            )
        return path
    try:
        (source,) = installed((verdict.subject.distribution,))
        if source.sha256 == wanted:
            return None
    except SubmissionError:
        pass
    if fetch is not None:
        return fetch(wanted, folder)
    raise ReplayError(
        f"{verdict.subject.distribution} with sha256 {wanted[:12]} is not installed; give --wheel, "
        "or configure the hub it was published on (DOUGONG_HUB_URL)"
    )


def _keyed(rows: list[AccuracyRow]) -> dict[tuple[str, ...], AccuracyRow]:
    found: dict[tuple[str, ...], AccuracyRow] = {}
    for row in rows:
        key = (row.workload, row.dtype, row.direction)
        count = sum(each[:3] == key for each in found)
        found[(*key, f"#{count + 1}")] = row
    return found
