"""What a plugin says about one operator: frozen metadata and a dotted target, nothing imported."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any, Literal

from dougong.errors import OperatorError

FAMILIES = ("attention", "norm", "activation", "optimizer", "backend", "transform")
DTYPES = ("float64", "float32", "bfloat16", "float16", "int8")

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,38}/[a-z0-9][a-z0-9_.-]{0,63}")
_CONTRACT = re.compile(r"(?P<family>[a-z]+)\.[a-z0-9_]+@[1-9][0-9]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One implementation of one contract.

    Metadata only: constructing it imports neither torch nor the implementation. Rank, tier and
    tolerance are not here, because the judge and the contract decide them.

    Raises:
        OperatorError: a field breaks its rule; the message names the rule and the value.
    """

    name: str
    """`provider/name`, lower case, unique among everything installed."""
    contract: str
    """The contract implemented, with its version: `norm.rms@1`."""
    target: str
    """`package.module:attribute` of the callable or class; imported on first use only."""
    summary: str = ""
    """One line for people."""
    variant: str = ""
    """Which member of the contract this is, where a contract has several (`adamw` of
    `optimizer.step@1`); empty where it has one."""
    devices: tuple[str, ...] = ("cpu",)
    """torch device types it runs on."""
    dtypes: tuple[str, ...] = ("float32",)
    """torch dtype names it accepts, without the `torch.` prefix."""
    modes: tuple[Literal["infer", "train"], ...] = ("infer", "train")
    """What a swapped model may be used for."""
    gradients: Literal["none", "first", "second"] = "none"
    """Highest order of derivative that autograd can take through it."""
    compiles: Literal["none", "breaks", "fullgraph"] = "fullgraph"
    """What `torch.compile` makes of it: refuses it, breaks the graph, or holds it whole."""
    features: tuple[str, ...] = ()
    """Optional parts of the contract it handles (`mask:causal`, `gqa`, `approximate:tanh`...). Each
    contract lists its features; an empty tuple means all of them."""
    deterministic: bool = True
    """Same inputs give the same bits, on one machine."""
    requires: tuple[str, ...] = ()
    """PEP 508 requirements checked before the target is imported (`torchao>=0.13`)."""
    needs: tuple[str, ...] = ()
    """Tools of the machine it needs: `c++-compiler`, `avx2`, `cuda>=8.0`."""
    claims: tuple[str, ...] = ()
    """What the author says of it, for the judge to prove or refute
    (`speedup >= 1.2 over torch on cpu`)."""
    paper: str = ""
    """Where it comes from: `arXiv:1910.07467`, a DOI or an address."""
    reference: str = ""
    """Dotted target of the plain-PyTorch definition beside a faster version."""
    license: str = ""
    """SPDX expression of the implementation."""
    upstream: str = ""
    """Address of the project that an adapter adapts."""

    def __post_init__(self) -> None:
        """Hold every field to its rule, so that a bad operator is refused where it is written."""
        if not _NAME.fullmatch(self.name):
            raise OperatorError(
                f"operator name must be provider/name in lower case, got {self.name!r}"
            )
        if not (match := _CONTRACT.fullmatch(self.contract)) or match["family"] not in FAMILIES:
            raise OperatorError(
                f"{self.name}: contract must be family.kind@version with a family of "
                f"{', '.join(FAMILIES)}, got {self.contract!r}"
            )
        for field in ("target", "reference"):
            value = getattr(self, field)
            if (value or field == "target") and not _TARGET.fullmatch(value):
                raise OperatorError(
                    f"{self.name}: {field} must be package.module:attribute, got {value!r}"
                )
        if unknown := sorted(set(self.dtypes) - set(DTYPES)):
            raise OperatorError(
                f"{self.name}: dtypes must be of {', '.join(DTYPES)}, got {', '.join(unknown)}"
            )
        self._check_kinds()

    def _check_kinds(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, tuple) and not (
                isinstance(value, tuple) and all(isinstance(item, str) for item in value)
            ):
                raise OperatorError(
                    f"{self.name}: {field.name} must be a tuple of strings, got {value!r}"
                )

    @property
    def family(self) -> str:
        """The part of the contract id before the dot: `norm` of `norm.rms@1`."""
        return self.contract.partition(".")[0]

    @property
    def kind(self) -> str:
        """The contract id without its version: `norm.rms` of `norm.rms@1`."""
        return self.contract.partition("@")[0]

    def load(self) -> Any:
        """Import and return the target.

        Raises:
            ImportError: the module cannot be imported.
            AttributeError: the module has no such attribute.
        """
        return resolve(self.target)


def resolve(target: str) -> Any:
    """Import `package.module:attribute.path` and return what it names."""
    module_name, _, path = target.partition(":")
    value: Any = importlib.import_module(module_name)
    for attribute in path.split("."):
        value = getattr(value, attribute)
    return value
