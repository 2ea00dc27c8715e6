"""Django app of export and import; it has commands and no tables."""

from __future__ import annotations

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "dougong_registry.exports"
    label = "exports"
