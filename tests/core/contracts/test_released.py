"""A released contract never changes: its digest is written down."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dougong
from dougong import contracts

RELEASED = tomllib.loads(Path(__file__).with_name("released.toml").read_text())


@pytest.mark.parametrize("id", contracts.ids())
def test_a_released_contract_is_as_it_was(id):
    assert contracts.digests()[id] == RELEASED.get(id), (
        f"{id} is released and its source changed: make the change a new version; a contract that "
        "is new is added with `python -m dougong.contracts.digest`"
    )


def test_nothing_released_was_withdrawn():
    assert set(RELEASED) <= set(contracts.ids())


def test_one_changed_byte_in_a_defining_module_is_seen(tmp_path):
    package = Path(dougong.__file__).parent
    shutil.copytree(package, tmp_path / "dougong")
    law = tmp_path / "dougong" / "contracts" / "attention" / "laws.py"
    law.write_text(law.read_text() + "#\n")
    printed = subprocess.run(
        [sys.executable, "-m", "dougong.contracts.digest"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    changed = {id for id, digest in tomllib.loads(printed).items() if digest != RELEASED[id]}
    assert changed == {"attention.exact@1", "attention.approx@1"}
