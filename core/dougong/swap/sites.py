"""Find the modules of a model that an operator could serve."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from dougong.swap import adapters
from dougong.swap.adapters.fit import Fit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One module of a model that is of a kind some contract describes."""

    path: str
    """As in `model.named_modules()`; empty for the model itself."""
    module: nn.Module
    fit: Fit
    dtype: torch.dtype
    """Of the module's first floating-point parameter; where it has none, of the nearest above."""
    device: torch.device

    @property
    def kinds(self) -> tuple[str, ...]:
        """The contracts without their versions."""
        return tuple(contract.partition("@")[0] for contract in self.fit.contracts)

    @property
    def family(self) -> str:
        """The family of the contracts."""
        return self.fit.contracts[0].partition(".")[0]


def find_sites(model: nn.Module) -> tuple[Site, ...]:
    """Return the sites of a model in order of its modules; a module shared by paths comes once."""
    modules = dict(model.named_modules())
    found = {path: fit for path, module in modules.items() if (fit := adapters.fit(module))}
    for path in [path for path, fit in found.items() if fit.problem]:
        # A wrapper named Attention around the attention that does the work is no site of its own.
        inner = path + "." if path else ""
        if any(
            p != path and p.startswith(inner) and _related(found[p], found[path]) for p in found
        ):
            del found[path]
    return tuple(_site(model, modules, path, fit) for path, fit in found.items())


def _related(inner: Fit, outer: Fit) -> bool:
    return inner.contracts[0].partition("@")[0] == outer.contracts[0].partition("@")[0]


def _site(model: nn.Module, modules: dict[str, nn.Module], path: str, fit: Fit) -> Site:
    module = modules[path]
    dtype, device = torch.get_default_dtype(), torch.device("cpu")
    for above in _upwards(path):
        owner = next((p for p in modules[above].parameters() if p.is_floating_point()), None)
        if owner is not None:
            dtype, device = owner.dtype, owner.device
            break
    problem = fit.problem or _instance_problem(module) or _bypassed(modules, path)
    if problem != fit.problem:
        fit = dataclasses.replace(fit, problem=problem)
    return Site(path=path, module=module, fit=fit, dtype=dtype, device=device)


def _instance_problem(module: nn.Module) -> str:
    forward = module.__dict__.get("forward")
    if forward is None or "_dougong" in module.__dict__:
        return ""
    return (
        "its forward was replaced on the instance by something else "
        f"({type(forward).__name__}), which a swap would undo"
    )


def _bypassed(modules: dict[str, nn.Module], path: str) -> str:
    for above in list(_upwards(path))[1:]:
        if isinstance(modules[above], nn.TransformerEncoderLayer):
            return (
                f"{above or 'the model'} is an nn.TransformerEncoderLayer, whose fused path in "
                "eval mode never calls it"
            )
    return ""


def _upwards(path: str) -> list[str]:
    """Return the path and those above it, nearest first: a.b, a, and the model itself."""
    parts = path.split(".") if path else []
    return [".".join(parts[:count]) for count in range(len(parts), -1, -1)]
