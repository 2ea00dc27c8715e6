"""Judging many plugins one after the other, going on where the last run stopped.

A verdict is current where it is of the same wheel, by the same judge, of a profile at least as
thorough, and told something; only what has none is judged. Rejections are stored like everything
else: what counts is that there is an outcome. A verdict is stored as soon as it stands, and until a
plugin is through, a mark lies beside them: an interrupted run goes on with the operator it was at.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dougong.errors import DougongError
from dougong_ci.contribution.reading import read
from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.source import file_digest
from dougong_ci.judge.unpacking import NothingLeftError
from dougong_ci.report.edition import JUDGE
from dougong_ci.report.verdict import Outcome, Verdict, from_json

_THOROUGH = tuple(PROFILES)
FOLDER = "verdicts"
BEGUN = ".begun"
"""Lies beside the verdicts of a plugin that is not through."""


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
            every = list(stored(folder))
            known = [each for each in every if current(each, sha256, profile)]
            begun = folder / FOLDER / BEGUN
            if known and len(known) == len(every) and not begun.exists() and not again:
                return Row(plugin=folder.name, verdicts=tuple(known))
            done = [] if again else known if begun.exists() else []
            clear(folder, keep=done)
            begun.touch()
            request = JudgeRequest(
                path=wheel,
                profile=PROFILES[profile],
                repeat=f"dougong judge contrib/{folder.name} --profile {profile}",
                without=tuple(str(each.subject.operator["name"]) for each in done),
            )
            try:
                found = judge(request, on_event, lambda verdict: store(folder, verdict))
            except NothingLeftError:
                if not done:
                    raise
                found = []
            begun.unlink()
            return Row(plugin=folder.name, verdicts=(*done, *found), judged=bool(found))
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


def clear(folder: Path, *, keep: Sequence[Verdict]) -> None:
    """Remove the stored verdicts of a plugin, but for some."""
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    kept = {_path(folder, each) for each in keep}
    for old in set(target.glob("*.json")) - kept:
        old.unlink()


def store(folder: Path, verdict: Verdict) -> None:
    """Put a verdict beside the others of its plugin."""
    _path(folder, verdict).write_text(verdict.to_json() + "\n", "utf-8")


def _path(folder: Path, verdict: Verdict) -> Path:
    name = str(verdict.subject.operator["name"]).replace("/", "--")
    return folder / FOLDER / f"{name}.json"
