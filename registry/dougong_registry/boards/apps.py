"""Django app of the boards."""

from __future__ import annotations

from django.apps import AppConfig


class BoardsConfig(AppConfig):
    name = "dougong_registry.boards"
    label = "boards"
    default_auto_field = "django.db.models.BigAutoField"
