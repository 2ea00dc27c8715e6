"""Django app of the plugins."""

from __future__ import annotations

from django.apps import AppConfig


class PluginsConfig(AppConfig):
    name = "dougong_registry.plugins"
    label = "plugins"
    default_auto_field = "django.db.models.BigAutoField"
