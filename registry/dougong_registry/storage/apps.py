"""Django app of the second homes."""

from __future__ import annotations

from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "dougong_registry.storage"
    label = "storage"
    default_auto_field = "django.db.models.BigAutoField"
