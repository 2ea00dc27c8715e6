"""Django app of the runs."""

from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "dougong_registry.runs"
    label = "runs"
    default_auto_field = "django.db.models.BigAutoField"
