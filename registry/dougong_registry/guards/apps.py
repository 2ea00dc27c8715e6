"""Django app of the guards; last of the installed, so that it runs after all others' tables."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class GuardsConfig(AppConfig):
    name = "dougong_registry.guards"
    label = "guards"

    def ready(self) -> None:
        """Install the guards after every `migrate`."""
        from dougong_registry.guards.install import after_migrate

        post_migrate.connect(after_migrate, sender=self)
