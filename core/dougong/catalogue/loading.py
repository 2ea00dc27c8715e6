"""Turn one plugin into its operators, or into the reason why it has none.

Each plugin is validated by a plugin manager of its own, so that what is wrong with one of them
cannot be met while another is loaded.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pluggy

from dougong import contracts, hookspecs
from dougong.catalogue.entry import Broken, Entry
from dougong.errors import DougongError, OperatorError
from dougong.markers import PROJECT
from dougong.operator import FAMILIES, Operator

LONGEST_REASON = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from, before anything of it is imported."""

    plugin: str
    distribution: str
    version: str
    load: Callable[[], Any]
    """Imports the plugin module and returns the object that carries the hook implementations."""


def load_plugin(source: Source) -> tuple[Entry, ...] | Broken:
    """Import a plugin, call its hooks and check what they return."""
    seen: list[str] = []
    try:
        operators = [
            operator
            for family, returned in _hook_results(source)
            for operator in _checked(returned, family, seen)
        ]
    # A plugin may raise anything at all, and a module may even leave by sys.exit: it is still
    # only that plugin which is broken. Ctrl-C stays the user's.
    except (Exception, SystemExit) as error:
        reason = describe(error)
        trace(f"{source.plugin}: broken: {reason}")
        return Broken(source.plugin, source.distribution, source.version, reason, tuple(seen))
    return tuple(
        Entry(operator, source.plugin, source.distribution, source.version)
        for operator in operators
    )


def describe(error: BaseException) -> str:
    """Put an exception in one line, with the place where it was raised."""
    first = " ".join(str(error).split())
    if isinstance(error, DougongError | pluggy.PluginValidationError):
        return first[:LONGEST_REASON]
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    place = ""
    if frames := traceback.extract_tb(error.__traceback__):
        last = frames[-1]
        if not last.filename.startswith("<"):
            place = f" ({'/'.join(Path(last.filename).parts[-2:])}:{last.lineno})"
    return text[:LONGEST_REASON] + place


def trace(message: str) -> None:
    """Print a line about discovery to stderr where `DOUGONG_TRACE=1`."""
    if os.environ.get("DOUGONG_TRACE") == "1":
        print(f"dougong: trace: {message}", file=sys.stderr)


def _hook_results(source: Source) -> Iterator[tuple[str, Any]]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugin = source.load()
    manager.register(plugin, name=source.plugin)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise OperatorError(
            "no hook implementation found; decorate dougong_register_<family> "
            "with @dougong.hookimpl"
        )
    for family in FAMILIES:
        hook = f"dougong_register_{family}"
        # The implementation is called itself, because a hook call drops a result of None.
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            returned = implementation.function()
            trace(f"{source.plugin}: {hook}() -> {_brief(returned)}")
            yield family, returned


def _checked(returned: Any, family: str, seen: list[str]) -> list[Operator]:
    hook = f"dougong_register_{family}"
    if not isinstance(returned, list):
        raise OperatorError(f"{hook} must return a list, returned {type(returned).__name__}")
    for item in returned:
        if not isinstance(item, Operator):
            raise OperatorError(
                f"{hook} must return dougong.Operator objects, returned a {type(item).__name__}"
            )
        seen.append(item.name)
    for operator in returned:
        if operator.family != family:
            raise OperatorError(
                f"{hook} returned {operator.name} of contract {operator.contract}, "
                f"which belongs in dougong_register_{operator.family}"
            )
        _check_contract(operator)
    return returned


def _check_contract(operator: Operator) -> None:
    known = contracts.ids()
    if operator.contract not in known:
        same_kind = [each for each in known if each.startswith(f"{operator.kind}@")]
        choice = same_kind or [each for each in known if each.startswith(f"{operator.family}.")]
        raise OperatorError(
            f"{operator.name}: unknown contract {operator.contract}; known: {', '.join(choice)}"
        )


def _brief(returned: Any) -> str:
    if isinstance(returned, list):
        return "[" + ", ".join(getattr(item, "name", repr(item)) for item in returned) + "]"
    return repr(returned)
