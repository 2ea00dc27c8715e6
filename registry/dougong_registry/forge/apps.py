"""Django app of the forge."""

from __future__ import annotations

from django.apps import AppConfig


class ForgeConfig(AppConfig):
    name = "dougong_registry.forge"
    label = "forge"
    default_auto_field = "django.db.models.BigAutoField"
