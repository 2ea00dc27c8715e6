"""Verdicts kept on this machine: what was measured of the operators that are installed.

A verdict counts for exactly the distribution and version that was judged. Nothing here reads the
network; `dougong install` and `dougong judge` bring verdicts in.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dougong.errors import EvidenceError
from dougong.home import state_folder

if TYPE_CHECKING:
    from dougong.catalogue import Entry

SCHEMA = "dougong.verdict/1"
Row = TypeVar("Row")


class Dated(Protocol):
    """What any row of a family's board says of its verdict."""

    @property
    def operator(self) -> str:
        """`provider/name`."""

    @property
    def hardware_class(self) -> str:
        """Where it was judged."""

    @property
    def finished_at(self) -> str:
        """ISO 8601, so that text sorts by time."""


Told = TypeVar("Told", bound=Dated)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_OPERATOR = re.compile(r"[a-z0-9][a-z0-9_.-]{0,38}/[a-z0-9][a-z0-9_.-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Speed-up over the baseline on one board, with its 95% interval."""

    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float

    def __str__(self) -> str:
        return f"{self.speedup:.2f}x [{self.ci_low:.2f}, {self.ci_high:.2f}]"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The part of a verdict that a choice rests on."""

    id: str
    operator: str
    contract: str
    contract_digest: str
    distribution: str
    version: str
    outcome: str
    """`passed`, `failed`, `inconclusive` or `errored`."""
    code: str
    summary: str
    device: str
    hardware_class: str
    finished_at: str
    """ISO 8601."""
    scores: tuple[Score, ...]

    @property
    def passed(self) -> bool:
        """Whether the judge accepted the operator."""
        return self.outcome == "passed"

    def score(self, dtype: str, mode: str) -> Score | None:
        """Return the score of one board, or None where it was not measured."""
        return next((s for s in self.scores if (s.dtype, s.mode) == (dtype, mode)), None)

    def is_about(self, entry: Entry) -> bool:
        """Whether these are the distribution, version and contract that are installed."""
        return (
            self.operator == entry.name
            and self.contract == entry.operator.contract
            and self.version == entry.version
            and _normalized(self.distribution) == _normalized(entry.distribution)
        )


def add(text: str | bytes) -> Record:
    """Keep one verdict; the same id again replaces it.

    Args:
        text: verdict JSON of schema `dougong.verdict/1`.

    Raises:
        EvidenceError: the text is not such a verdict.
    """
    record, data = _parse(text)
    folder = _folder() / record.operator
    folder.mkdir(parents=True, exist_ok=True)
    # Written beside and moved, so that a reader never meets half a verdict.
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        json.dump(data, file, sort_keys=True, separators=(",", ":"))
    Path(file.name).replace(folder / f"{record.id}.json")
    return record


def for_operator(name: str) -> tuple[Record, ...]:
    """Return the verdicts on an operator, newest first; unreadable files are passed over."""
    if not _OPERATOR.fullmatch(name):
        return ()
    records = []
    for path in sorted((_folder() / name).glob("*.json")):
        try:
            records.append(_parse(path.read_bytes())[0])
        except (EvidenceError, OSError):
            continue
    return tuple(sorted(records, key=lambda record: (record.finished_at, record.id), reverse=True))


def raw(name: str) -> tuple[str, ...]:
    """Return the JSON text of the verdicts on an operator, newest first."""
    folder = _folder() / name
    return tuple((folder / f"{each.id}.json").read_text("utf-8") for each in for_operator(name))


def every() -> Iterator[str]:
    """Give the JSON text of every verdict kept, by operator; unreadable files are passed over."""
    for path in sorted(_folder().glob("*/*/*.json")):
        try:
            _parse(text := path.read_text("utf-8"))
        except (EvidenceError, OSError, UnicodeDecodeError):
            continue
        yield text


def in_folders(folders: Sequence[Path], read: Callable[[bytes], Row | None]) -> Iterator[Row]:
    """Give what is stored under some folders (`<plugin>/verdicts/*.json`), by path.

    Args:
        folders: Searched to any depth.
        read: Makes a row of one verdict; None where it is of no interest.

    Raises:
        EvidenceError: a file is no verdict; the message names it.
    """
    for path in sorted(path for folder in folders for path in folder.rglob("verdicts/**/*.json")):
        try:
            row = read(path.read_bytes())
        except EvidenceError as error:
            raise EvidenceError(f"{path}: {error}") from error
        if row is not None:
            yield row


def newest(rows: Iterable[Told]) -> list[Told]:
    """Return of each operator on each kind of machine the row that was finished last."""
    found: dict[tuple[str, str], Told] = {}
    for row in rows:
        key = (row.operator, row.hardware_class)
        if key not in found or found[key].finished_at < row.finished_at:
            found[key] = row
    return list(found.values())


def verdicts_on(entry: Entry, device: str | None = None) -> tuple[Record, ...]:
    """Return the verdicts that hold for an installed operator, newest first.

    Of each class of hardware only the newest decisive verdict holds, so that a later failure
    takes back an earlier pass; inconclusive runs decide nothing.
    """
    held: dict[tuple[str, str], Record] = {}
    for record in for_operator(entry.name):
        if record.outcome not in ("passed", "failed") or not record.is_about(entry):
            continue
        if device is None or record.device == device.partition(":")[0]:
            held.setdefault((record.device, record.hardware_class), record)
    return tuple(held.values())


def best(
    entries: Iterable[Entry], *, device: str, dtype: str, mode: str
) -> tuple[Entry | None, str]:
    """Choose the judged operator with the highest lower bound of its speed-up.

    Args:
        entries: candidates for one contract.
        device: torch device type, `cpu`.
        dtype: torch dtype name without the prefix, `float32`.
        mode: `infer` or `train`.

    Returns:
        The choice, or None where no candidate has passed on this device, dtype and mode; and the
        reason in one line.
    """
    ranked: list[tuple[float, str, Entry, str]] = []
    rejected: list[str] = []
    for entry in entries:
        scored = _scored(entry, device, dtype, mode)
        if isinstance(scored, str):
            rejected.append(f"{entry.name}: {scored}")
            continue
        record, score = scored
        reason = f"judged {score} on {record.hardware_class}, {dtype}, {mode}, verdict {record.id}"
        ranked.append((-score.ci_low, entry.name, entry, reason))
    if ranked:
        _, _, entry, reason = min(ranked, key=lambda row: row[:2])
        return entry, reason
    return None, "no judged candidate" + (f" ({'; '.join(rejected)})" if rejected else "")


def _scored(entry: Entry, device: str, dtype: str, mode: str) -> tuple[Record, Score] | str:
    records = verdicts_on(entry, device)
    if not records:
        older = [each for each in for_operator(entry.name) if not each.is_about(entry)]
        return f"no verdict on version {entry.version}" if older else "no verdict"
    passed = [record for record in records if record.passed]
    if not passed:
        return records[0].code
    scored = [(record, score) for record in passed if (score := record.score(dtype, mode))]
    if not scored:
        return f"not measured in {dtype}, {mode}"
    return max(scored, key=lambda pair: pair[1].ci_low)


def _folder() -> Path:
    return state_folder() / "verdicts"


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _parse(text: str | bytes) -> tuple[Record, Mapping[str, Any]]:
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise EvidenceError(f"not a verdict of schema {SCHEMA}")
        subject = data["subject"]
        record = Record(
            operator=str(subject["operator"]["name"]),
            distribution=str(subject["distribution"]),
            version=str(subject["version"]),
            scores=tuple(
                Score(s["dtype"], s["mode"], s["speedup"], s["ci_low"], s["ci_high"])
                for s in data["scores"]
            ),
            **{name: str(data[name]) for name in _PLAIN},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"malformed verdict: {type(error).__name__}: {error}") from error
    if not _ID.fullmatch(record.id) or not _OPERATOR.fullmatch(record.operator):
        raise EvidenceError(f"malformed verdict: id {record.id!r}, operator {record.operator!r}")
    return record, data


_PLAIN = (
    "id",
    "contract",
    "contract_digest",
    "outcome",
    "code",
    "summary",
    "device",
    "hardware_class",
    "finished_at",
)
