"""The types of a contract: what an operator must compute, and how that is measured.

A contract is owned by Dougong, versioned and immutable once released: changing one means `@2`.
These types are plumbing and do not enter a contract's digest; the modules that define the
contracts do, byte for byte.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dougong.contracts.accuracy import Tolerance
    from dougong.operator import Operator

Scalar = int | float | str | bool | None
Bound = Callable[[Mapping[str, "Tensor | None"]], "tuple[Tensor, ...]"]
"""An implementation ready to be called: named call tensors in, outputs in contract order."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """One size, distribution and layout of inputs."""

    name: str
    """Unique within the contract: `llama-7b-prefill`."""
    params: Mapping[str, Scalar]
    """Sizes and statics by name: `{"B": 1, "T": 128, "D": 4096, "eps": 1e-5}`."""
    distribution: str = "normal"
    """How values are drawn; see `dougong.contracts.sampling`."""
    layout: str = "contiguous"
    """How call tensors lie in memory: contiguous, transposed, offset or expanded."""
    purpose: tuple[Literal["accuracy", "edge", "speed"], ...] = ("accuracy",)
    """Which gates use it."""
    weight: float = 1.0
    """Weight in the speed score, where the purpose includes speed."""
    features: tuple[str, ...] = ()
    """Features an operator must declare to be asked this (`mask:causal`, `gqa`)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One workload made concrete by a seed, in one dtype."""

    tensors: Mapping[str, Tensor | None]
    """Call inputs by name, new for every call."""
    static: Mapping[str, Any]
    """JSON-able arguments known when the implementation is prepared (eps, scale, is_causal...)."""
    setup: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    """Tensors given once, when the implementation is prepared (weights of a whole model)."""
    differentiable: tuple[str, ...] = ()
    """Names among `tensors` whose gradients are judged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
    """A metamorphic law: change the inputs in a known way, know what happens to the outputs.

    Both halves are pure, so that the judge can hold them while the candidate sits elsewhere.
    """

    name: str
    summary: str
    variant: Callable[[Case, int], Case | None]
    """(case, seed) -> changed case, or None where the law does not apply."""
    violation: Callable[[Case, tuple[Tensor, ...], Case, tuple[Tensor, ...]], str | None]
    """(case, outputs, changed case, changed outputs) -> what is wrong, or None if the law holds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """The least work a call can do, for the physical floor."""

    flops: float
    bytes: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """What an operator of one kind must compute. See `dougong.contracts` for those released."""

    id: str
    """`norm.rms@1`."""
    summary: str
    signature: str
    """The exact call, for people and for `dougong new`: `f(x, weight, *, eps) -> y`."""
    equivalence: Literal["exact", "approximate"] = "exact"
    paper: str = ""
    reference: Callable[..., Any]
    """Plain PyTorch, right in float64; the definition."""
    baselines: Mapping[str, str]
    """Name -> dotted target of a trusted implementation, called exactly like an operator. The
    first one, in the working dtype, sets the native error and is the speed baseline."""
    generate: Callable[[Workload, int, torch.dtype], Case]
    """(workload, seed, dtype) -> inputs; equal arguments give equal bits."""
    workloads: tuple[Workload, ...]
    hidden: Callable[[int], tuple[Workload, ...]]
    """secret seed -> workloads nobody has seen; same purposes, odd sizes."""
    bind: Callable[[Any, Case], Bound]
    """(target, case) -> callable over call tensors; reads only `static` and `setup` of the case.
    All preparation (building a model, compiling) happens here, outside the clock."""
    tolerance: Tolerance
    gradient: Literal["required", "optional", "none"]
    laws: tuple[Law, ...] = ()
    cost: Callable[[Workload, torch.dtype], Cost]
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    features: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    """Members that `Operator.variant` may name; each has its own reference through `bind`."""
    digest: str = ""
    """sha256 of the source of every module that defines the contract; filled by the index."""

    @property
    def family(self) -> str:
        """`norm` of `norm.rms@1`."""
        return self.id.partition(".")[0]

    def features_of(self, operator: Operator) -> tuple[str, ...]:
        """Return what `select` needs to know of an operator: its features and its variant.

        An operator of a contract with variants is asked the workloads of its own variant only.
        """
        if not self.variants:
            return operator.features
        rest = operator.features or tuple(f for f in self.features if not f.startswith("variant:"))
        return (f"variant:{operator.variant}", *rest)

    def select(self, purpose: str, features: tuple[str, ...] = ()) -> tuple[Workload, ...]:
        """Return the public workloads of a purpose that an operator with `features` is asked.

        An empty `features` means the operator handles all of them.
        """
        return tuple(
            workload
            for workload in self.workloads
            if purpose in workload.purpose
            and (not features or set(workload.features) <= set(features))
        )
