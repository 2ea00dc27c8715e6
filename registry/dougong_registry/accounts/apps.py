"""Django app of the accounts."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "dougong_registry.accounts"
    label = "accounts"

    def ready(self) -> None:
        """End the sessions of whoever has everything revoked."""
        from dougong_registry.accounts.services import sessions_end
        from dougong_registry.people.services import revoked_all

        revoked_all.connect(sessions_end, dispatch_uid="accounts")
