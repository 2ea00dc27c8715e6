"""Indexers on disk: one safetensors file for all layers, their sizes in its metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from dougong_plugins.attention.dsa.learned import Learned, kind_of, made
from dougong_plugins.attention.dsa.lightning import Sizes

_FORMAT = "dougong-dsa-2"


def save_indexers(indexers: Sequence[Learned], path: Path | str) -> None:
    """Write indexers; a file that is there is replaced.

    Raises:
        ImportError: safetensors is not installed.
    """
    from safetensors.torch import save_file

    tensors = {
        f"{layer}.{name}": value.detach().contiguous()
        for layer, indexer in enumerate(indexers)
        for name, value in indexer.state_dict().items()
    }
    sizes = [[kind_of(each), dataclasses.asdict(each.sizes)] for each in indexers]
    save_file(tensors, str(path), metadata={"format": _FORMAT, "sizes": json.dumps(sizes)})


def load_indexers(path: Path | str) -> list[Learned]:
    """Read what `save_indexers` wrote.

    Raises:
        ValueError: the file holds something else.
        ImportError: safetensors is not installed.
    """
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"{path}: format must be {_FORMAT}, got {metadata.get('format')!r}")
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    found = []
    for layer, (kind, sizes) in enumerate(json.loads(metadata["sizes"])):
        indexer = made(kind, Sizes(**sizes))
        own = f"{layer}."
        indexer.load_state_dict(
            {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}
        )
        found.append(indexer)
    return found
