"""What was done, said and timed, as a page of Markdown."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

SHOWN_LINES = 30
SHOWN_CHARS = 150


class FailedError(Exception):
    """Something did not come out as it must."""


@dataclasses.dataclass(slots=True)
class _Step:
    title: str
    took_s: float = 0.0
    lines: list[str] = dataclasses.field(default_factory=list)


class Transcript:
    """Runs commands as somebody would, keeps what they print, and how long each step took."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = dict(places)
        """What is written instead of a path or an address of this machine."""
        self.steps: list[_Step] = []
        self.began = time.monotonic()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time what is done within."""
        step = _Step(title)
        self.steps.append(step)
        began = time.monotonic()
        try:
            yield
        finally:
            step.took_s = time.monotonic() - began
            print(f"{self.total_s:7.1f} s  {step.took_s:6.1f} s  {title}", flush=True)

    @property
    def total_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def run(
        self,
        *words: object,
        cwd: Path,
        env: Mapping[str, str],
        shown: str = "",
        codes: tuple[int, ...] = (0,),
        quiet: bool = False,
    ) -> str:
        """Run a command; return what it printed.

        Raises:
            FailedError: it ended with a status that is not among `codes`.
        """
        command = [str(word) for word in words]
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said("$ " + (shown or shlex.join(command)))
        if done.returncode not in codes:
            raise FailedError(f"{shlex.join(command)}: {done.returncode}\n{done.stdout[-3000:]}")
        if not quiet:
            self.said(done.stdout)
        return done.stdout

    def said(self, text: str) -> None:
        """Add lines, shortened."""
        for real, name in self.places.items():
            text = text.replace(real, name)
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        if len(lines) > SHOWN_LINES:
            half = SHOWN_LINES // 2
            left = len(lines) - 2 * half
            lines = [*lines[:half], f"... {left} lines ...", *lines[-half:]]
        self.steps[-1].lines += [
            line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS - 4]} ..." for line in lines
        ]

    def page(self, head: str) -> str:
        """Return the whole page."""
        parts = [head, "", "| step | seconds |", "|---|---:|"]
        parts += [f"| {step.title} | {step.took_s:.1f} |" for step in self.steps]
        parts += [f"| **in all** | **{sum(step.took_s for step in self.steps):.1f}** |", ""]
        for number, step in enumerate(self.steps, 1):
            parts += [f"## {number}. {step.title}", "", f"{step.took_s:.1f} s", ""]
            parts += ["```text", *(line.replace("```", "'''") for line in step.lines), "```", ""]
        return "\n".join(parts)
