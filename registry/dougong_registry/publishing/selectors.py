"""Which publishers a plugin has."""

from __future__ import annotations

from django.db.models import Max, QuerySet

from dougong_registry.publishing.models import Publisher


def publishers_of(canonical: str) -> QuerySet[Publisher]:
    """Return the publishers of a plugin that are trusted now, oldest first."""
    return (
        Publisher.objects.select_related("plugin", "added_by")
        .filter(plugin__canonical=canonical, removed_at=None)
        .annotate(last_used_at=Max("exchanges__token__created_at"))
        .order_by("pk")
    )
