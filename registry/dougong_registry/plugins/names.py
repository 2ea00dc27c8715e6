"""Names that look alike are one name: the rule that keeps impostors out.

After PyPI's ultranormalisation: separators dropped, `i` and `l` read as `1`, `o` as `0`.
"""

from __future__ import annotations

from packaging.utils import canonicalize_name

from dougong_registry.problem import Conflict

_ALIKE = str.maketrans({"i": "1", "l": "1", "o": "0", "-": "", "_": "", ".": ""})
RESERVED = ("dougong", "torch", "pytorch", "torchvision", "torchao", "triton", "transformers")
"""Names that a plugin may neither take nor resemble."""


def confusable_key(name: str) -> str:
    """Return what a name looks like at a glance."""
    return canonicalize_name(name).translate(_ALIKE)


_RESERVED_KEYS = {confusable_key(name): name for name in RESERVED}


def refuse_reserved(name: str) -> None:
    """Refuse a distribution name that is, or resembles, a reserved one.

    Raises:
        Conflict: names the reserved name.
    """
    if taken := _RESERVED_KEYS.get(confusable_key(name)):
        raise Conflict(f"the name {name} is reserved or reads like {taken}; choose another")
