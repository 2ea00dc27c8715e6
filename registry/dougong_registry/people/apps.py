"""Django app of the people."""

from __future__ import annotations

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "dougong_registry.people"
    label = "people"
    default_auto_field = "django.db.models.BigAutoField"
