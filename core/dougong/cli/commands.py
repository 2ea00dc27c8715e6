"""The table of commands: where each one lives, what it does. Nothing is imported to read it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "dougong.commands"
"""Entry-point group in which other distributions, and the other parts of this one, add commands."""

# heading -> command -> (target, summary); an empty target is found through the entry-point group.
COMMANDS = {
    "Find": {
        "list": ("dougong.cli.inventory:list_operators", "What is installed, and what is broken"),
        "show": ("dougong.cli.inventory:show", "All that is known of one operator"),
        "search": ("dougong.cli.searching:search", "Search the hub, or what is installed"),
        "board": ("dougong.cli.remote:board", "How the operators of a contract compare"),
        "runs": ("dougong.cli.running:runs", "What the hub measured, newest first"),
    },
    "Use": {
        "install": ("dougong.cli.installing:install", "Install an operator, after its evidence"),
        "uninstall": ("dougong.cli.installing:uninstall", "Take a plugin out, and out of the lock"),
        "plan": ("dougong.cli.planning:plan", "What would be swapped in a model, and why"),
        "lock": ("dougong.cli.locking:lock", "Pin what is installed in dougong.lock"),
        "sync": ("dougong.cli.locking:sync", "Install exactly what dougong.lock pins"),
        "verify": ("dougong.cli.locking:verify", "Compare every installed file with the lock"),
        "audit": (
            "dougong.cli.auditing:audit",
            "Is anything installed revoked or known to be bad?",
        ),
    },
    "Make": {
        "new": ("dougong.cli.creating:new", "Start a plugin of your own, green at birth"),
        "judge": ("", "Judge operators here, as the hub would"),
        "ci": ("", "Check a pull request here, as the hub would"),
        "submit": ("dougong.cli.submitting:submit", "Send a plugin to the hub and watch it judged"),
        "cancel": ("dougong.cli.submitting:cancel", "Stop the judgement of what you submitted"),
        "yank": ("dougong.cli.owning:yank", "Have installers pass over a release of yours"),
        "retire": ("dougong.cli.owning:retire", "Archive or deprecate a plugin of yours"),
    },
    "Run": {
        "up": ("", "Start a hub with its worker on this machine"),
        "worker": ("", "Judge for a hub: take jobs, post signed verdicts"),
    },
}
EXTRAS = {"judge": "ci", "ci": "ci", "worker": "ci", "up": "hub"}
"""The extra of the distribution `dougong` that carries a command's dependencies."""


def own() -> dict[str, str]:
    """Return the targets of the commands that this package holds itself."""
    return {
        name: target
        for section in COMMANDS.values()
        for name, (target, _) in section.items()
        if target
    }


def external() -> dict[str, str]:
    """Return the targets that installed distributions add, by command name.

    The metadata files are read directly, because importing importlib.metadata takes longer than
    the whole of `dougong --help` may.
    """
    found: dict[str, str] = {}
    for path in _metadata_files():
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 13 ms here
                text = file.read()
        except OSError:
            continue
        if f"[{GROUP}]" in text:
            for name, target in _section(text):
                found.setdefault(name, target)
    return found


def missing(target: str) -> str:
    """Say why a target cannot be there, without importing it; empty where its file exists."""
    module = target.partition(":")[0]
    parts = module.split(".")
    for folder in sys.path:
        path = os.path.join(folder or ".", *parts)  # noqa: PTH118 - pathlib costs 13 ms here
        if os.path.exists(path + ".py") or os.path.exists(path):  # noqa: PTH110 - as above
            return ""
    return f"missing: there is no module {module}"


def _metadata_files() -> Iterator[str]:
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                yield from [
                    f"{entry.path}/entry_points.txt"
                    for entry in entries
                    if entry.name.endswith((".dist-info", ".egg-info"))
                ]
        except OSError:
            continue


def _section(text: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith("#"):
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].strip()
