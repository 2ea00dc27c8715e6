"""Lay the corpus out as distributions that the judge can be given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from catalogue import Entry

_SUBMISSION = Path(__file__).parent / "submission"
_SHADOWS = (
    "torch.py",
    "dougong/__init__.py",
    "dougong_ci/__init__.py",
    "dougong/contracts/norm/rms.py",
)
"""Numbers 50 and 57: files of the wheel that stand in for torch, the contracts and the judge."""


def lay_out(folder: Path, entries: Iterable[Entry], name: str = "corpus") -> Path:
    """Write a distribution that registers some operators, as an installed wheel lies."""
    shutil.copytree(_SUBMISSION, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for shadow in _SHADOWS:
        path = folder / shadow
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('raise SystemExit("imported from the wheel under judgement")\n')
    fields = [entry.fields() for entry in entries]
    (folder / "corpus_operators.json").write_text(json.dumps(fields))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[dougong]\n{name} = corpus_plugin\n")
    return folder
