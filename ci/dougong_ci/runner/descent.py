"""One optimizer at work, step by step: `optimizer.train@1#descent`.

The judge prepares it with the starting parameters (`setup`). A call with `act` = `STEP` is a step:
gradients in, parameters out. With `READ` it gives the parameters as they are to be evaluated, which
for rules that average are others, and the bytes of optimizer state for each byte of parameters,
which are summed up in here and therefore reported, never judged. It never sees data or loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.definition import Bound, Case
from dougong.contracts.optimizer.train import evaluated

STEP, READ = 0, 1


def bind(target: Any, case: Case) -> Bound:
    """Make the optimizer on copies of the start, and return the call that steps or reads."""
    count = len(case.setup)
    params = [case.setup[f"p{i}"].detach().clone().requires_grad_() for i in range(count)]
    torch.manual_seed(int(case.static["seed"]))
    optimizer = target(params)
    evaluated(optimizer, on=False)

    def call(tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
        act = tensors["act"]
        if act is not None and int(act) == READ:
            return _read(optimizer, params)
        for i, p in enumerate(params):
            gradient = tensors[f"g{i}"]
            p.grad = None if gradient is None else gradient.detach().clone()
        optimizer.step()
        return (*(p.detach().clone() for p in params), torch.zeros((), dtype=torch.float64))

    return call


def _read(optimizer: Optimizer, params: list[Tensor]) -> tuple[Tensor, ...]:
    evaluated(optimizer, on=True)
    found = [p.detach().clone() for p in params]
    evaluated(optimizer, on=False)
    share = state_bytes(optimizer, params) / sum(p.nbytes for p in params)
    return (*found, torch.tensor(share, dtype=torch.float64))


def state_bytes(optimizer: Optimizer, params: list[Tensor]) -> int:
    """Return the bytes of every tensor that an optimizer keeps, parameters and gradients apart.

    Tensors are counted by their memory, once; those that wrap others (quantized state) by what
    they wrap.
    """
    apart = {p.untyped_storage().data_ptr() for p in params}
    apart |= {p.grad.untyped_storage().data_ptr() for p in params if p.grad is not None}
    held = [vars(optimizer), optimizer.state, optimizer.param_groups]
    storages = {}
    for tensor in _tensors(held, set()):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in apart:
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def _tensors(value: Any, seen: set[int]) -> Iterator[Tensor]:
    """Give the plain tensors in nested dictionaries and lists, unwrapping subclasses."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        if type(value) in (Tensor, torch.nn.Parameter):
            yield value
        elif hasattr(value, "__tensor_flatten__"):
            for name in value.__tensor_flatten__()[0]:
                yield from _tensors(getattr(value, name), seen)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each, seen)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each, seen)
    elif isinstance(value, Optimizer):
        yield from _tensors(vars(value), seen)
