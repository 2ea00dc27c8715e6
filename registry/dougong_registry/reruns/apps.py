"""Django app of the reruns."""

from __future__ import annotations

from django.apps import AppConfig


class RerunsConfig(AppConfig):
    name = "dougong_registry.reruns"
    label = "reruns"
    default_auto_field = "django.db.models.BigAutoField"
