"""What the contracts of plain functions share: binding, and baselines in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Bound, Case


def binder(*positional: str) -> Callable[[Any, Case], Bound]:
    """Return the `bind` of a function contract.

    Args:
        *positional: Names passed by position, in order, each a call tensor or a static; every
            other call tensor and static is passed by keyword.
    """

    def bind(target: Any, case: Case) -> Bound:
        keywords = {name: v for name, v in case.static.items() if name not in positional}
        by_keyword = [name for name in case.tensors if name not in positional]

        def call(tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
            arguments = [tensors[n] if n in tensors else case.static[n] for n in positional]
            named = {name: tensors[name] for name in by_keyword}
            return (target(*arguments, **named, **keywords),)

        return call

    return bind


def in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return `function` computed in float32 and rounded once, for inputs of fewer bits.

    What a careful kernel does in bfloat16 or float16. Wider inputs are computed as they are.
    """

    def computed(first: Tensor, *rest: Any, **keywords: Any) -> Tensor:
        if torch.finfo(first.dtype).bits >= 32:
            return function(first, *rest, **keywords)
        wide = [_float32(value) for value in rest]
        named = {name: _float32(value) for name, value in keywords.items()}
        return function(first.float(), *wide, **named).to(first.dtype)

    return computed


def _float32(value: Any) -> Any:
    is_float = isinstance(value, Tensor) and value.is_floating_point()
    return value.float() if is_float else value


def element_bytes(dtype: torch.dtype) -> int:
    """Return the bytes of one element of `dtype`."""
    return torch.finfo(dtype).bits // 8
