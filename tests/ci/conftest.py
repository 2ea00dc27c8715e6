from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
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


def _whole_wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Write a wheel that pip takes, RECORD and all."""
    info = f"{name}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in files.items()
        for digest in [hashlib.sha256(text.encode()).digest()]
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", f"{''.join(rows)}{info}/RECORD,,\n")
    return path


@pytest.fixture(scope="session")
def whole_wheel() -> Callable[[Path, str, dict[str, str]], Path]:
    """Write a wheel that pip takes: `whole_wheel(folder, name, files)`."""
    return _whole_wheel


@pytest.fixture
def only_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where pip looks for wheels; the state folder is the test's own, too."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "home"))
    return tmp_path / "index"
