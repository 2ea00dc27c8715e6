"""`dougong-hub`: Django's management commands for the hub."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line


def main() -> None:
    """Run one management command, with the state folder in place."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dougong_registry.settings")
    settings.DOUGONG_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    execute_from_command_line(["dougong-hub", *sys.argv[1:]])


if __name__ == "__main__":
    main()
