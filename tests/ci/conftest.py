from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

CANDIDATES = Path(__file__).parent / "candidates"


def unpacked(folder: Path, modules: list[Path], *, name: str, plugin: str) -> Path:
    """Lay out a distribution as an installed wheel lies: modules beside their .dist-info."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    for module in modules:
        shutil.copy(module, folder)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[dougong]\n{name} = {plugin}\n")
    return folder


@pytest.fixture(scope="session")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candidates") / "trial"
    modules = sorted(CANDIDATES.glob("*.py"))
    return unpacked(folder, modules, name="trial", plugin="candidates_plugin")


@pytest.fixture(scope="session")
def fast_profile():
    """As little as still runs every gate; a hang costs seconds."""
    from dougong_ci.judge import PROFILES

    return dataclasses.replace(
        PROFILES["quick"],
        looks=(1,),
        rounds=3,
        workload_s=0.05,
        block_us=100.0,
        warmup_rounds=1,
        prepare_s=8.0,
        call_s=4.0,
    )
