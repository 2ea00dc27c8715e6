"""The command line, `dougong`. Importing it imports neither typer nor torch."""

from __future__ import annotations

from dougong.cli.dispatch import main

__all__ = ["main"]
