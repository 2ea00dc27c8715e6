"""Finding people by what somebody types."""

from __future__ import annotations

from dougong_registry.people.models import Identity
from dougong_registry.problem import Conflict, Missing


def identity_find(text: str) -> Identity:
    """Return who is meant by a login, or by `provider:id` where several have it.

    Raises:
        Missing: nobody is.
        Conflict: several people have this login.
    """
    provider, _, external_id = text.rpartition(":")
    found = list(
        Identity.objects.filter(provider=provider, external_id=external_id)
        if provider
        else Identity.objects.filter(login=text).order_by("pk")[:9]
    )
    if not found:
        raise Missing(f"nobody is known as {text!r}; see /people/")
    if len(found) > 1:
        names = ", ".join(f"{each.provider}:{each.external_id}" for each in found)
        raise Conflict(f"several are called {text}: name one of {names}")
    return found[0]
