"""Django app of the rehearsal; it has a command and no tables."""

from __future__ import annotations

from django.apps import AppConfig


class RehearsalConfig(AppConfig):
    name = "dougong_registry.rehearsal"
    label = "rehearsal"
