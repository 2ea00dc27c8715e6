"""Django app of the contributions."""

from __future__ import annotations

from django.apps import AppConfig


class ContributionsConfig(AppConfig):
    name = "dougong_registry.contributions"
    label = "contributions"
    default_auto_field = "django.db.models.BigAutoField"
