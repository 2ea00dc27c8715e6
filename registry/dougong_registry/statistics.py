"""What the database knows of its tables, from which it chooses how to read them."""

from __future__ import annotations

from django.db import connection


def statistics_refresh() -> None:
    """Count the tables anew: after many rows came at once, the database still plans for none."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
