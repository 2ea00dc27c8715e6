"""Is the judge talked round? Every cheat of the catalogue must be refused, every control kept.

    python tests/ci/corpus/selftest.py [--fast] [--only NAME ...] [--device cuda] [--json]

Prints one line an operator and exits 1 where a cheat passed, a control was refused, or the judge
itself failed. What noise left open is judged again, at most three times.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from catalogue import CHEATS, CONTROLS, ELSEWHERE, SURVIVOR, Cheat, Entry
from layout import lay_out

from dougong_ci.judge import PROFILES, JudgeRequest, Profile, judge
from dougong_ci.report.verdict import Outcome, Verdict

TRIES = 3
OPEN = ("INCONCLUSIVE_NOISE", "INCONCLUSIVE_UNMEASURED")
KEPT = ("ACCEPTED", *OPEN)


@dataclasses.dataclass(frozen=True)
class Found:
    """What became of one operator of the corpus."""

    entry: Entry
    gate: str
    """The first that failed, or nothing."""
    code: str
    reason: str

    @property
    def right(self) -> bool:
        """Whether the judge did what the catalogue asks."""
        if isinstance(self.entry, Cheat):
            return (self.gate, self.code) in self.entry.expected
        return self.code in KEPT

    @property
    def settled(self) -> bool:
        """Whether judging again would tell nothing new."""
        return self.code not in OPEN or self.entry is SURVIVOR


def least_profile() -> Profile:
    """Return as little as still runs every gate; a hang costs seconds."""
    return dataclasses.replace(
        PROFILES["quick"],
        **_looks(1),
        rounds=3,
        workload_s=0.05,
        block_us=100.0,
        warmup_rounds=1,
        prepare_s=8.0,
        call_s=4.0,
    )


def _looks(restarts: int) -> dict[str, object]:
    names = {field.name for field in dataclasses.fields(Profile)}
    return {"looks": (restarts,)} if "looks" in names else {"restarts": restarts}


def found_in(
    entries: Sequence[Entry], profile: Profile, seed: int | None = None, device: str = "cpu"
) -> list[Found]:
    """Judge some operators as one distribution."""
    by_name = {entry.operator: entry for entry in entries}
    with tempfile.TemporaryDirectory() as scratch:
        folder = lay_out(Path(scratch) / "corpus", entries)
        request = JudgeRequest(path=folder, profile=profile, seed=seed, device=device)
        verdicts = judge(request, on_verdict=_tell)
    found = {str(v.subject.operator["name"]): _read(v, by_name) for v in verdicts}
    return [found[name] for name in by_name]


def _tell(verdict: Verdict) -> None:
    if sys.stderr.isatty():
        print(f"{verdict.subject.operator['name']}: {verdict.code}", file=sys.stderr)


def _read(verdict: Verdict, by_name: dict[str, Entry]) -> Found:
    failed = [gate.name for gate in verdict.gates if gate.outcome is Outcome.FAILED]
    entry = by_name[str(verdict.subject.operator["name"])]
    return Found(entry, failed[0] if failed else "", verdict.code, verdict.summary)


def selftest(entries: Sequence[Entry], device: str = "cpu") -> list[Found]:
    """Judge cheats and controls; again what is left open by noise."""
    found: dict[str, Found] = {}
    for _ in range(TRIES):
        left = [e for e in entries if e.name not in found or not found[e.name].settled]
        cheats = [e for e in left if isinstance(e, Cheat) or e is SURVIVOR]
        controls = [e for e in left if e not in cheats]
        for some, profile in ((cheats, least_profile()), (controls, PROFILES["quick"])):
            if some:
                found |= {each.entry.name: each for each in found_in(some, profile, device=device)}
    return [found[entry.name] for entry in entries]


def chosen(*, fast: bool, only: Sequence[str] = ()) -> list[Entry]:
    """Return the operators to judge; the poisoner's successor comes right after it."""
    entries: list[Entry] = []
    for cheat in CHEATS:
        entries.append(cheat)
        entries += [SURVIVOR] if cheat.number == SURVIVOR.number else []
    entries += CONTROLS
    if only:
        return [entry for entry in entries if entry.name in only]
    return [entry for entry in entries if entry.fast or not fast]


def _print(found: Sequence[Found], took_s: float, *, fast: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "no.", "what", "contract", "expected", "found", "the judge's reason")
    for each in found:
        entry = each.entry
        cheat = isinstance(entry, Cheat)
        expected = " | ".join(f"{g} {c}" for g, c in entry.expected) if cheat else "kept"
        mark = "[green]✓" if each.right else "[red]✗"
        what = f"{entry.title} ({entry.name})"
        table.add_row(
            mark,
            str(entry.number or ""),
            what,
            entry.contract,
            expected,
            f"{each.gate} {each.code}".strip(),
            each.reason.replace("[", r"\["),
        )
    for other in () if fast else ELSEWHERE:
        table.add_row("–", str(other.number), other.title, "", "not on a CPU", "", other.reason)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    cheats = [each for each in found if isinstance(each.entry, Cheat)]
    controls = [each for each in found if each not in cheats]
    for name, group in (("cheats refused", cheats), ("controls kept", controls)):
        console.print(f"{name}: {sum(each.right for each in group)} of {len(group)}")
    left = sum(each.code in OPEN for each in controls)
    console.print(f"left open by noise: {left}; took {took_s:.0f} s")


def main() -> int:
    """Run the corpus; exit status 1 where a cheat passed or an honest operator was refused."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--fast", action="store_true", help="one cheat a mechanism")
    parser.add_argument("--only", nargs="*", default=(), help="names of the corpus")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    begin = time.monotonic()
    found = selftest(chosen(fast=arguments.fast, only=arguments.only), arguments.device)
    took_s = time.monotonic() - begin
    if arguments.json:
        rows = [dataclasses.asdict(each) | {"right": each.right} for each in found]
        print(json.dumps({"took_s": took_s, "found": rows}, indent=2))
    else:
        _print(found, took_s, fast=arguments.fast or bool(arguments.only))
    return 0 if all(each.right for each in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
