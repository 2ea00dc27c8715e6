"""The pluggy markers of the project; `dougong.hookimpl` is what a plugin author decorates with."""

from __future__ import annotations

import pluggy

PROJECT = "dougong"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
