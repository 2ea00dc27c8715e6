"""What is asked of other tables for each row: how many there are, and whether there is any."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull


def counted(rows: QuerySet[Any], by: str) -> Coalesce:
    """Return how many rows there are as a sub-query: joins would multiply one count by another.

    Args:
        rows: Those of one outer row, by `OuterRef`.
        by: The column that names the outer row; an index that begins with it is all that is read.
    """
    count = rows.order_by().values(by).annotate(rows=Count("*")).values("rows")
    return Coalesce(Subquery(count), 0)


def there_is(rows: QuerySet[Any]) -> IsNull:
    """Return whether there is any row, as a condition that is looked up outer row by outer row.

    `Exists` says the same, but PostgreSQL answers several of them joined by `or` from a hash of
    every row there is, however few outer rows a page asks about.

    Args:
        rows: Those of one outer row, by `OuterRef`.
    """
    return IsNull(Subquery(rows.order_by().values("pk")[:1]), False)
