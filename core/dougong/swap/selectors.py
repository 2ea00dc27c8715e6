r"""Selectors: which modules a key of the plan means, and which key wins.

| key | means | rank |
|---|---|---|
| `model.norm`, `path:model.norm` | the module of exactly this path | 5 |
| `model.layers.*.mlp` | paths that match the glob (`*` also crosses dots) | 4 |
| `re:layers\.\d+\.mlp` | paths in which the pattern is found; anchor with ^ and $ | 4 |
| a callable (path, module) -> bool | modules for which it is true | 3 |
| `norm.rms`, `norm.rms@1` | modules that compute this contract | 2 |
| `norm` | modules of the whole family | 1 |

The highest rank wins. Two keys of one rank on one module are an error, and so is a key that
matches nothing. Globs, patterns and callables choose among the modules that adapters know.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from dougong.contracts import ids
from dougong.errors import PlanError
from dougong.operator import FAMILIES
from dougong.swap.sites import Site

Predicate = Callable[[str, nn.Module], bool]
Key = str | Predicate
_EXACT, _PATTERN, _PREDICATE, _CONTRACT, _FAMILY = 5, 4, 3, 2, 1


@dataclasses.dataclass(frozen=True, slots=True)
class Selector:
    """One key of a plan, understood."""

    text: str
    rank: int
    matches: Callable[[Site], bool]
    contract: str = ""
    """The contract id or kind the key names, for keys of that rank."""
    wanted: Any = None
    """The value of the key: what to use there."""
    hint: str = ""
    """Why the key may match nothing."""


def parse(choices: Mapping[Key, Any], model: nn.Module) -> tuple[Selector, ...]:
    """Understand the keys of a plan.

    Raises:
        PlanError: a key is malformed, ambiguous, or names no contract and no module.
    """
    if not choices:
        raise PlanError("a plan needs at least one selector, got none")
    paths = {path: type(module).__name__ for path, module in model.named_modules()}
    return tuple(
        dataclasses.replace(_selector(key, paths), wanted=wanted) for key, wanted in choices.items()
    )


def assign(selectors: Sequence[Selector], sites: Sequence[Site]) -> dict[str, Selector]:
    """Return path -> winning selector.

    Raises:
        PlanError: a selector matches nothing, or two of one rank match one module.
    """
    matched: dict[str, list[Selector]] = {}
    for selector in selectors:
        hits = [site.path for site in sites if selector.matches(site)]
        if not hits:
            raise PlanError(
                f"selector {selector.text!r} matches no module{selector.hint or _known(sites)}"
            )
        for path in hits:
            matched.setdefault(path, []).append(selector)
    return {path: _winner(path, found) for path, found in matched.items()}


def _winner(path: str, found: list[Selector]) -> Selector:
    first, *rest = sorted(found, key=lambda selector: -selector.rank)
    if rest and rest[0].rank == first.rank:
        raise PlanError(
            f"selectors {first.text!r} and {rest[0].text!r} both select {path or 'the model'} and "
            "neither is more specific: drop one, or name the module by its path"
        )
    return first


def _selector(key: Key, paths: Mapping[str, str]) -> Selector:
    if callable(key):
        name = getattr(key, "__qualname__", type(key).__name__)
        return Selector(name, _PREDICATE, lambda site: bool(key(site.path, site.module)))
    if not isinstance(key, str):
        raise PlanError(f"a selector must be a string or a callable, got {type(key).__name__}")
    if key.startswith("re:"):
        return _regular(key)
    if key.startswith("path:"):
        return _exact(key, key.removeprefix("path:"), paths)
    if any(character in key for character in "*?["):
        return Selector(key, _PATTERN, lambda site: fnmatch.fnmatchcase(site.path, key))
    return _named(key, paths)


def _regular(key: str) -> Selector:
    try:
        pattern = re.compile(key.removeprefix("re:"))
    except re.error as error:
        raise PlanError(f"selector {key!r} is not a regular expression: {error}") from error
    return Selector(key, _PATTERN, lambda site: pattern.search(site.path) is not None)


def _named(key: str, paths: Mapping[str, str]) -> Selector:
    kind = next((id for id in ids() if key in (id, id.partition("@")[0])), None)
    if key in paths and (kind or key in FAMILIES):
        raise PlanError(
            f"selector {key!r} is a {'contract' if kind else 'family'} and also the path of a "
            f"module: write 'path:{key}' for the module, or a more specific contract or a pattern"
        )
    if key in FAMILIES:
        return Selector(key, _FAMILY, lambda site: site.family == key)
    if kind:
        return Selector(
            key, _CONTRACT, lambda site: key in site.fit.contracts or key in site.kinds, key
        )
    return _exact(key, key, paths)


def _exact(key: str, path: str, paths: Mapping[str, str]) -> Selector:
    if path not in paths:
        kinds = {id.partition("@")[0] for id in ids()}
        close = difflib.get_close_matches(path, [*FAMILIES, *sorted(kinds), *paths], n=3)
        hint = f"; close: {', '.join(close)}" if close else ""
        raise PlanError(f"selector {key!r} is no module path, contract or family{hint}")
    hint = f": no adapter knows the class {paths[path]}"
    return Selector(key, _EXACT, lambda site: site.path == path, hint=hint)


def _known(sites: Sequence[Site]) -> str:
    if not sites:
        return ": no adapter knows any module of this model"
    classes = {f"{type(s.module).__name__} ({'/'.join(s.kinds)})" for s in sites}
    return f"; modules that adapters know: {', '.join(sorted(classes))}"
