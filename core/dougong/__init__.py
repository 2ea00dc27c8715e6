"""Dougong (斗拱): interchangeable neural-network operators for PyTorch.

Public names are imported on first use, so that `import dougong` costs milliseconds and no torch.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dougong.catalogue import Catalogue
    from dougong.contracts import contract
    from dougong.contracts.definition import Contract
    from dougong.markers import hookimpl
    from dougong.operator import Operator
    from dougong.swap import Plan, compile, optimizer, plan, transform

__version__ = "0.1.0"

_LAZY = {
    "Catalogue": "dougong.catalogue",
    "Contract": "dougong.contracts.definition",
    "Operator": "dougong.operator",
    "Plan": "dougong.swap",
    "compile": "dougong.swap",
    "contract": "dougong.contracts",
    "hookimpl": "dougong.markers",
    "optimizer": "dougong.swap",
    "plan": "dougong.swap",
    "transform": "dougong.swap",
}

__all__ = [
    "Catalogue",
    "Contract",
    "Operator",
    "Plan",
    "__version__",
    "compile",
    "contract",
    "hookimpl",
    "optimizer",
    "plan",
    "transform",
]


def __getattr__(name: str) -> object:
    """Import a public name from where it lives (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'dougong' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
