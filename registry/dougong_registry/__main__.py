"""`dougong-hub`: Django's management commands for the hub."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection
from django.db.utils import DatabaseError, OperationalError


def main() -> None:
    """Run one management command, with the state folder in place.

    A database that is not there, or not made ready, is one line and exit status 2.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dougong_registry.settings")
    settings.DOUGONG_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        execute_from_command_line(["dougong-hub", *sys.argv[1:]])
    except DatabaseError as error:
        if "--traceback" in sys.argv or (why := _not_ready(error)) is None:
            raise
        print(f"dougong-hub: {why}", file=sys.stderr)
        sys.exit(2)


def _not_ready(error: DatabaseError) -> str | None:
    """Say what is to be done about a database that cannot be used yet; None if it is another's."""
    first = str(error).partition("\n")[0]
    try:
        tables = connection.introspection.table_names()
    except OperationalError:
        return f"the database of DOUGONG_DATABASE_URL cannot be reached: {first}"
    if "django_migrations" in tables:
        return None
    return "the database has no tables yet; run `dougong-hub migrate` first"


if __name__ == "__main__":
    main()
