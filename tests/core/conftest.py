"""Real little distributions, written to a folder as pip would leave them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder to install distributions into."""
    path = tmp_path / "site"
    path.mkdir()
    return path


@pytest.fixture
def install(site: Path) -> Install:
    """Write a distribution of one module: `install("acme-rms", source)`."""

    def write(
        name: str, source: str, *, version: str = "1.0", entry_points: str | None = None
    ) -> Path:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        text = f"[dougong]\n{name} = {module}\n" if entry_points is None else entry_points
        (info / "entry_points.txt").write_text(text, encoding="utf-8")
        record = f"{module}.py,,\n{info.name}/METADATA,,\n{info.name}/entry_points.txt,,\n"
        (info / "RECORD").write_text(record + f"{info.name}/RECORD,,\n", encoding="utf-8")
        return info

    return write


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Run Python in a fresh interpreter that sees the installed little distributions."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if "DOUGONG" not in name}
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={
                **clean,
                "PYTHONPATH": str(site),
                "DOUGONG_HOME": str(tmp_path / "home"),
                "COLUMNS": "200",
                **environment,
            },
        )

    return call
