"""Django app of the submissions."""

from __future__ import annotations

from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    name = "dougong_registry.submissions"
    label = "submissions"
    default_auto_field = "django.db.models.BigAutoField"
