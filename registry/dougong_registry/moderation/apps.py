"""Django app of moderation."""

from __future__ import annotations

from django.apps import AppConfig


class ModerationConfig(AppConfig):
    name = "dougong_registry.moderation"
    label = "moderation"
    default_auto_field = "django.db.models.BigAutoField"
