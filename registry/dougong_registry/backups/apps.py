"""Django app of backup and restore; it has commands and no tables."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "dougong_registry.backups"
    label = "backups"
