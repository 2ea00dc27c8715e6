"""Django app of the suites."""

from __future__ import annotations

from django.apps import AppConfig


class SuitesConfig(AppConfig):
    name = "dougong_registry.suites"
    label = "suites"
    default_auto_field = "django.db.models.BigAutoField"
