"""Django app of publishing from CI."""

from __future__ import annotations

from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "dougong_registry.publishing"
    label = "publishing"
    default_auto_field = "django.db.models.BigAutoField"
