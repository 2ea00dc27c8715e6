"""Django app of advisories and revocations."""

from __future__ import annotations

from django.apps import AppConfig


class AdvisoriesConfig(AppConfig):
    name = "dougong_registry.advisories"
    label = "advisories"
    default_auto_field = "django.db.models.BigAutoField"
