"""What the corpus registers: the operators listed in the JSON file beside this one."""

from __future__ import annotations

import json
from pathlib import Path

import dougong


def _of(family: str) -> list[dougong.Operator]:
    listed = json.loads(Path(__file__).with_name("corpus_operators.json").read_text())
    rows = [{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()} for row in listed]
    return [dougong.Operator(**row) for row in rows if row["contract"].startswith(f"{family}.")]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    return _of("norm")


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    return _of("attention")


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    return _of("activation")


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    return _of("optimizer")


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    return _of("backend")
