"""Django app of the staff pages."""

from __future__ import annotations

from django.apps import AppConfig


class AdministrationConfig(AppConfig):
    name = "dougong_registry.administration"
    label = "administration"
