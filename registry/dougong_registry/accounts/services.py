"""Ending sessions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from dougong_registry.people.models import Identity


def sessions_end(sender: Any, identity: Identity, **_: Any) -> None:
    """End every session of a person, on every machine; receiver of `revoked_all`.

    A session holds for one password only. These accounts have none, but what stands in its place
    is another from now on.
    """
    account = User.objects.filter(
        socialaccount__provider=identity.provider, socialaccount__uid=identity.external_id
    ).first()
    if account is not None:
        account.set_unusable_password()
        account.save(update_fields=["password"])
