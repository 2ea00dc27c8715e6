"""Put operators into modules and take them out: instance attributes only, nothing of the class.

A swapped module carries up to three attributes in its own `__dict__`: `_dougong` (this record),
`forward` or, for attention modules of transformers, `config`; and `train`, where training and
inference use different forwards. No parameter, hook, child or class is touched.

A slot serves one mode. The slot of `infer` is used in eval mode, that of `train` in training mode
and, where there is no slot for `infer`, in eval mode too. A module without a slot for the mode it
is in runs its own forward. `model.train()` and `model.eval()` change over by rebinding, so calls
pay nothing; setting `module.training` by hand does not change over.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from dougong.errors import PlanError
from dougong.operator import resolve
from dougong.swap.adapters import attention
from dougong.swap.adapters.fit import Forward

RECORD = "_dougong"


class Slot:
    """One operator, ready for one kind of module. Immutable; pickled by name, not by value."""

    __slots__ = (
        "call",
        "contract",
        "features",
        "forward",
        "gradients",
        "importable",
        "modes",
        "operator",
        "target",
    )

    def __init__(
        self,
        operator: str,
        contract: str,
        target: str,
        forward: Forward | None,
        features: tuple[str, ...],
        modes: tuple[str, ...],
        gradients: str,
    ) -> None:
        self.operator = operator
        self.contract = contract
        self.target = target
        self.forward = forward
        self.features = features
        self.modes = modes
        self.gradients = gradients
        self.call = self._prepared()

    def _prepared(self) -> Callable[..., Any]:
        try:
            call: Callable[..., Any] = resolve(self.target)
        except (ImportError, AttributeError) as error:
            raise PlanError(
                f"this model was saved with {self.operator} swapped in and {self.target} cannot "
                f"be loaded here ({error}): install its distribution, or save the model after "
                "revert() or by its state_dict"
            ) from error
        self.importable = _importable(call)
        if self.forward is None:
            attention.register()
            call = attention.asking_first(call, self.operator, self.features)
        if self.gradients == "none":
            call = functools.partial(without_gradient, call, self.operator)
        return call

    def _key(self) -> tuple[Any, ...]:
        return (
            self.operator,
            self.contract,
            self.target,
            self.forward,
            self.features,
            self.modes,
            self.gradients,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Slot, self._key()

    def __deepcopy__(self, memo: dict[int, Any]) -> Slot:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


class NamedForward(functools.partial):  # type: ignore[type-arg]  # partial's type argument says nothing here
    """A swapped `forward` for operators that only their target can name, as closures are.

    A subclass of partial costs some 30 ns a call more than partial itself on Python 3.11, so it
    serves only where a pickle could not hold the operator otherwise.
    """

    slot: Slot

    def __reduce__(self) -> tuple[Any, ...]:
        return swapped_forward, (self.args[0], self.slot)


def swapped_forward(module: nn.Module, slot: Slot) -> functools.partial[Any]:
    """Return the `forward` of a swapped module: its adapter's forward on module and operator.

    A copy of the module gets a forward bound to the copy; pickles hold the operator by name.
    """
    if slot.forward is None:
        raise ValueError(f"{slot.operator} serves an attention module, through its config")
    kind = functools.partial if slot.importable else NamedForward
    bound: Any = kind(slot.forward, module, slot.call)
    bound.slot = slot
    return cast("functools.partial[Any]", bound)


class Binding:
    """The record that a swapped module carries."""

    def __init__(self, modes: Mapping[str, Slot], config: Any) -> None:
        self.modes = dict(modes)
        """Mode -> slot."""
        self.config = config
        """The config that an attention module had before; None for every other module."""
        self.active: Slot | None = None
        """What the module runs now; None for its own forward."""

    def slot_for(self, training: bool) -> Slot | None:
        """Return the slot of a mode."""
        trained = self.modes.get("train")
        if training:
            return trained
        return self.modes.get("infer") or (
            trained if trained and "infer" in trained.modes else None
        )


def without_gradient(operator: Callable[..., Any], name: str, *args: Any, **rest: Any) -> Any:
    """Call an operator that has no gradient, and refuse where autograd would need one."""
    if torch.is_grad_enabled() and any(isinstance(a, Tensor) and a.requires_grad for a in args):
        raise PlanError(
            f"{name} has no gradient (gradients='none') and autograd is recording: call the model "
            "under torch.no_grad() or torch.inference_mode(), or revert"
        )
    return operator(*args, **rest)


def slots_of(module: nn.Module) -> Mapping[str, Slot]:
    """Return the slots of a module by mode; empty where it is not swapped."""
    binding = module.__dict__.get(RECORD)
    return dict(binding.modes) if binding is not None else {}


def active(module: nn.Module) -> Slot | None:
    """Return the slot that a module runs in the mode it is in."""
    binding = module.__dict__.get(RECORD)
    return binding.active if binding is not None else None


def bind(module: nn.Module, modes: Mapping[str, Slot]) -> None:
    """Give a module exactly these slots; none at all puts it back as it was.

    Raises:
        PlanError: something else replaced what was put into the module.
    """
    attributes = module.__dict__
    before: Binding | None = attributes.get(RECORD)
    check_untouched(module)
    if before is not None and before.modes == dict(modes):
        return
    config = before.config if before is not None else _own_config_needed(module, modes)
    _unbind(module)
    if not modes:
        return
    binding = Binding(modes, config)
    attributes[RECORD] = binding
    if binding.slot_for(True) is not binding.slot_for(False):
        attributes["train"] = functools.partial(change_mode, module)
    _activate(module, binding)


def change_mode(module: nn.Module, mode: bool = True) -> nn.Module:
    """Do what `module.train(mode)` does, and change over to the slot of that mode."""
    type(module).train(module, mode)
    binding: Binding = module.__dict__[RECORD]
    check_untouched(module)
    _activate(module, binding)
    return module


def check_untouched(module: nn.Module) -> None:
    """Raise where what was bound to a module is no longer what it runs."""
    binding: Binding | None = module.__dict__.get(RECORD)
    if binding is None or binding.active is None:
        return
    if binding.active.forward is None:
        untouched = getattr(module.__dict__.get("config"), "_attn_implementation", None) == (
            attention.IMPLEMENTATION
        )
    else:
        forward = module.__dict__.get("forward")
        # Wrappers copy attributes, so a partial with our slot may be somebody's wrapper of ours.
        untouched = (
            isinstance(forward, functools.partial)
            and forward.func is binding.active.forward
            and forward.args[0] is module
        )
    if not untouched:
        raise PlanError(
            f"the {type(module).__name__} that runs {binding.active.operator} was changed by "
            "something else since it was swapped: undo that first"
        )


def _importable(call: Callable[..., Any]) -> bool:
    """Whether a pickle finds the callable again under the name that it carries itself."""
    try:
        return resolve(f"{call.__module__}:{call.__qualname__}") is call
    except (AttributeError, ImportError, ValueError):
        return False


def _own_config_needed(module: nn.Module, modes: Mapping[str, Slot]) -> Any:
    through_config = any(slot.forward is None for slot in modes.values())
    return module.__dict__["config"] if through_config else None


def _activate(module: nn.Module, binding: Binding) -> None:
    slot = binding.slot_for(module.training)
    if binding.config is not None:
        module.__dict__["config"] = attention.own_config(binding.config) if slot else binding.config
    elif slot is not None:
        module.__dict__["forward"] = swapped_forward(module, slot)
    else:
        module.__dict__.pop("forward", None)
    binding.active = slot


def _unbind(module: nn.Module) -> None:
    binding: Binding | None = module.__dict__.pop(RECORD, None)
    if binding is None:
        return
    module.__dict__.pop("train", None)
    if binding.config is not None:
        module.__dict__["config"] = binding.config
    else:
        module.__dict__.pop("forward", None)
