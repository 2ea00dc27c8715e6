"""Judging many plugins one after the other, going on where the last run stopped.

A verdict is current where it is of the same wheel, by the same judge, of a profile at least as
thorough, and told something; only what has none is judged. Rejections are stored like everything
else: what counts is that there is an outcome.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dougong.errors import DougongError
from dougong_ci.contribution.reading import read
from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.source import file_digest
from dougong_ci.report.edition import JUDGE
from dougong_ci.report.verdict import Outcome, Verdict, from_json

_THOROUGH = tuple(PROFILES)
FOLDER = "verdicts"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one plugin."""

    plugin: str
    verdicts: tuple[Verdict, ...] = ()
    judged: bool = False
    """Whether it was judged now; otherwise what is stored was current."""
    error: str = ""
    """Why there is no verdict, where there is none."""


def judge_folder(
    folder: Path,
    *,
    profile: str,
    again: bool = False,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Row:
    """Build and judge a plugin unless its stored verdicts are current, and store the new ones.

    Args:
        folder: The plugin's.
        profile: How thoroughly.
        again: Judge whatever is stored.
        on_event: Told what happens, as by `dougong_ci.judge.judge`.
    """
    with tempfile.TemporaryDirectory(prefix="dougong-build-") as scratch:
        try:
            read(folder)
            wheel = build_wheel(folder, Path(scratch))
            sha256 = file_digest(wheel)
            known = [each for each in stored(folder) if current(each, sha256, profile)]
            if known and len(known) == len(list(stored(folder))) and not again:
                return Row(plugin=folder.name, verdicts=tuple(known))
            request = JudgeRequest(
                path=wheel,
                profile=PROFILES[profile],
                repeat=f"dougong judge contrib/{folder.name} --profile {profile}",
            )
            found = judge(request, on_event)
            store(folder, found)
            return Row(plugin=folder.name, verdicts=tuple(found), judged=True)
        except DougongError as error:
            return Row(plugin=folder.name, error=str(error))


def stored(folder: Path) -> Iterator[Verdict]:
    """Give the stored verdicts of a plugin; what cannot be read is as good as absent."""
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            yield from_json(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue


def current(verdict: Verdict, sha256: str, profile: str) -> bool:
    """Say whether a stored verdict needs no repetition."""
    judged_by = verdict.judge
    if verdict.subject.sha256 != sha256 or judged_by.get("version") != JUDGE:
        return False
    unasked = profile == "accuracy" and verdict.code == "INCONCLUSIVE_UNMEASURED"
    if verdict.outcome in (Outcome.INCONCLUSIVE, Outcome.ERRORED) and not unasked:
        return False
    if (done := judged_by.get("profile")) not in _THOROUGH:
        return False
    return _THOROUGH.index(done) >= _THOROUGH.index(profile)


def store(folder: Path, verdicts: list[Verdict]) -> None:
    """Put the verdicts of one wheel in place of all that was stored."""
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    for old in target.glob("*.json"):
        old.unlink()
    for verdict in verdicts:
        name = str(verdict.subject.operator["name"]).replace("/", "--")
        (target / f"{name}.json").write_text(verdict.to_json() + "\n", "utf-8")
