"""Dougong's own column: what the catalogue expects, or what the judge found."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the judge does with one operator."""

    words: str
    """Gate that refuses it, or that it is kept."""
    right: bool | None
    """Whether the judge did what the catalogue asks; None where it was not run."""


def expected(entry: Any) -> Judged:
    """Return what the catalogue asks of the judge."""
    gates = dict.fromkeys(gate for gate, _ in getattr(entry, "expected", ()))
    return Judged(f"{' or '.join(gates)}" if gates else "kept", None)


def judge(selftest: Path, names: Sequence[str]) -> dict[str, Judged]:
    """Run the judge's self-test on some operators of the corpus, and read what it found."""
    command = [sys.executable, str(selftest), "--json", "--only", *names]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return read(done.stdout)


def read(text: str) -> dict[str, Judged]:
    """Read what `selftest.py --json` printed, by name of the operator."""
    found = json.loads(text)["found"]
    return {
        row["entry"]["name"]: Judged(
            row["gate"] or row["code"].lower().replace("_", " "), bool(row["right"])
        )
        for row in found
    }
