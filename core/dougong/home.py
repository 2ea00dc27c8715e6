"""The folder in which Dougong keeps its state on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Return `$DOUGONG_HOME`, or the user's data folder of the platform; it may not exist yet."""
    if home := os.environ.get("DOUGONG_HOME"):
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("dougong", appauthor=False))
