"""TOML files that a stranger wrote: read as data, each broken rule at its file and line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from dougong_ci.intake.findings import Finding, lint

MAX_BYTES = 64 << 10


class Fields:
    """One table of a file, and what is wrong with it."""

    def __init__(
        self, table: dict[str, Any], path: str, lines: Sequence[str], begin: int = 0
    ) -> None:
        self.table, self.path = table, path
        self.found: list[Finding] = []
        self._lines, self._begin = lines, begin

    def value(self, name: str) -> Any:
        """Return what is given, of any type; None where nothing is."""
        return self.table.get(name)

    def text(self, name: str) -> str:
        """Return one line of text."""
        value = self.value(name)
        good = isinstance(value, str) and bool(value.strip()) and "\n" not in value
        self.must(name, good, "must be one line of text")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, one at least."""
        value = self.value(name)
        good = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
        self.must(name, bool(good), "must be a list of one or more texts")
        return tuple(value) if isinstance(value, list) and good else ()

    def tables(self, name: str) -> list[Fields]:
        """Return the tables of a name, which share this one's findings."""
        value = self.value(name)
        rows = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        heads = (f"[{name}]", f"[[{name}]]")
        begins = [at for at, line in enumerate(self._lines) if line.strip().startswith(heads)]
        good = [row for row in rows if isinstance(row, dict)]
        inner = []
        for at, row in enumerate(good):
            begin = begins[at] if at < len(begins) else self._begin
            inner.append(Fields(row, self.path, self._lines, begin))
            inner[-1].found = self.found
        return inner

    def licence(self, name: str = "license") -> str:
        """Return an SPDX expression as it is spelled properly."""
        licence = self.text(name)
        try:
            return str(canonicalize_license_expression(licence))
        except InvalidLicenseExpression:
            self.must(name, False, "must be an SPDX expression such as MIT", rule=name)
            return licence

    def must(self, name: str, holds: bool, message: str, *, rule: str = "metadata") -> None:
        """Note what does not hold, at the line of the field."""
        if not holds:
            self.wrong(rule, f"{name} {message}, got {self.value(name)!a:.100}", name)

    def wrong(self, rule: str, message: str, name: str = "") -> None:
        """Note that a rule is broken, at the line of a field."""
        self.found.append(lint(rule, message, self.path, self._line(name)))

    def _line(self, name: str) -> int:
        starts = (f"{name} ", f"{name}=", f"[{name}", f"[[{name}")
        for at in range(self._begin, len(self._lines)):
            if name and self._lines[at].strip().startswith(starts):
                return at + 1
        return self._begin + 1


def fields_of(data: bytes | None, path: str) -> Fields:
    """Read a file; one that cannot be read has no fields and says why.

    Args:
        data: The file; None where there is none.
        path: Of it, for the findings.
    """
    empty = Fields({}, path, ())
    if data is None:
        empty.wrong("metadata", f"there is no {path}; see `dougong new`")
        return empty
    if len(data) > MAX_BYTES:
        empty.wrong("metadata", f"{path} may have {MAX_BYTES >> 10} KiB, got more")
        return empty
    try:
        text = data.decode()
        return Fields(tomllib.loads(text), path, text.splitlines())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        empty.wrong("metadata", f"{path} cannot be read: {error}")
        return empty
