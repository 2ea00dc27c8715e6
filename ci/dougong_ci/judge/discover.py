"""What a distribution registers, learnt from inside the sandbox and believed field by field."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from dougong.errors import OperatorError
from dougong.operator import Operator
from dougong_ci.judge.child import Fell
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import JudgeRequest
from dougong_ci.judge.source import Source, SubmissionError
from dougong_ci.runner.protocol import printable

MAX_METADATA_BYTES = 4 << 20
MAX_OPERATORS = 1_000
_FIELDS = {field.name for field in dataclasses.fields(Operator)}


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One operator of the source, and why it cannot run here, if so."""

    operator: Operator
    unavailable: str


def discover(source: Source, party: Party, request: JudgeRequest) -> list[Found]:
    """Return the operators a source registers, filtered as the request asks.

    Raises:
        SubmissionError: the plugin is broken, registers nothing, or gives malformed metadata.
    """
    spec = {"at": str(source.folder) if source.folder else None}
    try:
        raw = party.spawn().discover(spec, MAX_METADATA_BYTES)
    except Fell as fell:
        raise SubmissionError(f"the plugin cannot be imported: {fell}") from fell
    finally:
        party.drop()
    operators, broken = _read(raw)
    mine = [
        (entry, entry["distribution"])
        for entry in operators
        if source.folder or _same(entry["distribution"], source.distribution)
    ]
    found = [
        Found(_operator(entry["operator"]), str(entry["unavailable"] or "")) for entry, _ in mine
    ]
    wrong = [each for each in broken if source.folder or _same(each[0], source.distribution)]
    named_operator = any("/" in name for name in request.installed)
    if wrong and not found and not named_operator:
        raise SubmissionError(f"plugin {source.distribution} is broken: {wrong[0][1]}")
    if not found and (source.folder or not wrong):
        raise SubmissionError(f"{source.distribution} registers no operators")
    return [each for each in found if wanted(each.operator, source, request)]


def wanted(operator: Operator, source: Source, request: JudgeRequest) -> bool:
    """Say whether the request's filters keep an operator."""
    if request.operators and operator.name not in request.operators:
        return False
    if operator.name in request.without:
        return False
    if request.contracts and not {operator.contract, operator.kind} & set(request.contracts):
        return False
    names = [name for name in request.installed if "/" in name]
    if names and len(names) == len(request.installed):
        return operator.name in names
    return True


def _read(raw: bytes) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    try:
        data = json.loads(raw)
        operators = [
            {key: entry[key] for key in ("distribution", "unavailable", "operator")}
            for entry in data["operators"]
        ]
        broken = [(str(each["distribution"]), str(each["reason"])) for each in data["broken"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SubmissionError(f"the plugin's metadata cannot be read: {error}") from error
    if len(operators) > MAX_OPERATORS:
        raise SubmissionError(
            f"a plugin may register {MAX_OPERATORS} operators, got {len(operators)}"
        )
    return operators, [(name, printable(reason, 300)) for name, reason in broken]


def _operator(fields: Any) -> Operator:
    """Build the operator anew; its own checks are the judge's checks."""
    if not isinstance(fields, dict) or set(fields) - _FIELDS:
        raise SubmissionError("operator metadata must have the fields of dougong.Operator only")
    kept: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()}
    for name, value in kept.items():
        if not isinstance(value, str | bool | tuple):
            raise SubmissionError(f"operator metadata: {name} has a value of a wrong type")
    try:
        return Operator(**kept)
    except (OperatorError, TypeError) as error:
        raise SubmissionError(printable(str(error), 300)) from error


def _same(one: Any, other: str) -> bool:
    return str(one).lower().replace("_", "-") == other.lower().replace("_", "-")
