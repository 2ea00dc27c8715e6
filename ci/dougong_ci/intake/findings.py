"""What was found wrong, where, and at which stage it stops the pull request."""

from __future__ import annotations

import dataclasses

LINT, SCAN = "lint", "scan"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken rule."""

    stage: str
    rule: str
    message: str
    path: str = ""
    line: int = 1
    """Counted from 1; 1 where it is about the whole file."""


class StoppedError(Exception):
    """A rule is broken that leaves nothing else worth asking."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(findings[0].message)
        self.findings = findings


def lint(rule: str, message: str, path: str = "", line: int = 1) -> Finding:
    """Return a finding of the first stage."""
    return Finding(stage=LINT, rule=rule, message=_text(message), path=_text(path), line=line)


def scan(rule: str, message: str, path: str = "", line: int = 1) -> Finding:
    """Return a finding of the second stage."""
    return Finding(stage=SCAN, rule=rule, message=_text(message), path=_text(path), line=line)


def _text(words: str) -> str:
    """Spell out bytes of file names that are no text, which neither JSON nor a database holds."""
    return words.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
