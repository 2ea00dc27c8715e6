"""Dynamic sparse attention in a model of transformers, and out of it again.

Each attention module gets its own copy of the model's config in which the attention implementation
is the one of this module; the model's config, and with it the masks that the model makes, stays as
it is. Weights, module tree and `state_dict` are not touched. Caches that grow are followed; a
static cache, which is longer than what was written, is not: its last key is no query's own.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dougong_plugins.attention.dsa.caching import Cached
from dougong_plugins.attention.dsa.choosing import choose
from dougong_plugins.attention.dsa.indexers import Indexer
from dougong_plugins.attention.dsa.keeping import Kept, kept_of
from dougong_plugins.attention.dsa.kernels import masked
from dougong_plugins.attention.dsa.learned import Learned
from dougong_plugins.attention.dsa.selectors import Selector
from dougong_plugins.attention.torch_sdpa import torch_sdpa
from dougong_plugins.attention.visibility import causal_mask

IMPLEMENTATION = "dougong_dsa"
Watch = Callable[["Layer", Tensor, Tensor, float | None], None]


@dataclasses.dataclass
class Layer:
    """What one attention module attends with."""

    name: str
    indexer: Indexer
    selector: Selector
    is_sparse: bool = True
    watch: Watch | None = None
    """Called with the layer's queries and keys before it attends: calibration."""
    counts: list[Kept] | None = None
    """What was kept at each call, where it is counted."""

    def __post_init__(self) -> None:
        """Keep the keys of a learned indexer between calls."""
        learned = self.indexer if isinstance(self.indexer, Learned) else None
        self.ranker: Indexer = self.indexer if learned is None else Cached(learned)


class Attached:
    """A model in which every attention is sparse, until `revert()`."""

    def __init__(self, model: nn.Module, indexers: Sequence[Indexer], selector: Selector) -> None:
        """Swap the attentions of a model.

        Args:
            model: Of transformers, with attention through its interface and implementation `sdpa`.
            indexers: One a layer, in the order of the model's modules.
            selector: The budget of all layers.

        Raises:
            ValueError: the model has no such attention, or another number of layers.
        """
        found = attentions(model)
        if len(found) != len(indexers):
            raise ValueError(
                f"{len(found)} attention layers need an indexer each, got {len(indexers)}"
            )
        _register()
        self.layers: list[Layer] = []
        self._before: list[tuple[nn.Module, Any]] = []
        for (name, module), indexer in zip(found, indexers, strict=True):
            layer = Layer(name, indexer, selector)
            self._before.append((module, module.config))
            module.config = _own(module.config)
            module.__dict__["_dsa"] = layer
            self.layers.append(layer)

    def revert(self) -> None:
        """Give every module its own attention back; a second call changes nothing."""
        for module, config in self._before:
            module.config = config
            del module.__dict__["_dsa"]
        self._before.clear()

    def set(self, *, sparse: bool) -> None:
        """Attend sparsely, or to all keys, which leaves the model as it was."""
        for layer in self.layers:
            layer.is_sparse = sparse

    def count(self) -> None:
        """Begin to count what is kept, from nothing; it costs all products."""
        for layer in self.layers:
            layer.counts = []

    def report(self) -> Kept:
        """Return what was kept since `count()`, over all layers and calls.

        Raises:
            RuntimeError: nothing was counted.
        """
        counted = [kept for layer in self.layers for kept in layer.counts or ()]
        if not counted:
            raise RuntimeError("nothing was counted: call count() and then the model")
        return Kept.total(counted)


def attentions(model: nn.Module) -> list[tuple[str, Any]]:
    """Return the attention modules of a model of transformers, in order.

    Raises:
        ValueError: there is none, or its implementation is not `sdpa`.
    """
    found = [
        (name, module)
        for name, module in model.named_modules()
        if hasattr(module, "num_key_value_groups") and hasattr(module, "config")
    ]
    if not found:
        raise ValueError(f"{type(model).__name__} has no attention with transformers' interface")
    used = str(found[0][1].config._attn_implementation)
    if used != "sdpa":
        raise ValueError(
            f"attention must be 'sdpa', got {used!r}: model.set_attn_implementation('sdpa')"
        )
    return found


def _own(config: Any) -> Any:
    mine = copy.copy(config)
    # The public setter would change the shared sub-configs too.
    mine._attn_implementation_internal = IMPLEMENTATION
    return mine


def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(IMPLEMENTATION, attention)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attend as the layer of a module says; called by transformers, shapes as there."""
    layer: Layer = module.__dict__["_dsa"]
    if layer.watch is not None:
        layer.watch(layer, query, key, scaling)
    mask = attention_mask
    if mask is None and query.shape[2] > 1:
        mask = causal_mask(query.shape[2], key.shape[2], query.device)
    if layer.is_sparse:
        kept = choose(layer.ranker, layer.selector, query, key, _seen(mask))
        if layer.counts is not None:
            layer.counts.append(kept_of(query, key, kept, _seen(mask), scaling))
        out_BHTD = masked(query, key, value, kept, mask=mask, scale=scaling)
    else:
        out_BHTD = torch_sdpa(query, key, value, mask=mask, scale=scaling)
    return out_BHTD.transpose(1, 2).contiguous(), None


def _seen(mask: Tensor | None) -> Tensor | None:
    if mask is None or mask.dtype == torch.bool:
        return mask
    # transformers hides keys with the least finite number, which stands for -inf.
    return mask > torch.finfo(mask.dtype).min
