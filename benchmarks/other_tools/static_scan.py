"""KernelGuard: rules over the text of a submission."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

FLAGGED = ("hacked", "suspicious")
"""Classifications that a reviewer would see; `low_confidence` is for its own statistics."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """What it said."""

    classification: str
    """`hacked`, `suspicious`, `low_confidence`, `default_reference` or `valid`."""
    filtered: bool
    """Whether it would keep the submission from being run."""
    rules: tuple[str, ...]
    """That matched."""

    @property
    def flagged(self) -> bool:
        """Whether it stops it or asks for a look at it."""
        return self.filtered or self.classification in FLAGGED


def scan(programs: Path, source: str, entry_point: str, profile: str = "default") -> Scan:
    """Classify a source as its sidecar mode does, told which function is the submission.

    Raises:
        subprocess.CalledProcessError: the tool failed.
    """
    command = [str(programs / "kernelguard"), "--api-mode", "--profile", profile]
    command += ["--set", f"entrypoints.names={json.dumps([entry_point])}"]
    done = subprocess.run(
        command, input=source, capture_output=True, text=True, check=True, timeout=120
    )
    said: dict[str, Any] = json.loads(done.stdout)
    rules = dict.fromkeys(str(match["pattern"]) for match in said["matched_patterns"])
    return Scan(said["classification"], bool(said["should_filter"]), tuple(rules))
