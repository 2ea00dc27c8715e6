"""Tags and filters of the pages of pull requests."""

from __future__ import annotations

from django import template

from dougong_registry.web import pulls

register = template.Library()
register.filter("banner", pulls.banner)
register.filter("stands", pulls.stands)
register.filter("tone", pulls.tone)
register.filter("rail_state", pulls.rail_state)
register.filter("rail_note", pulls.rail_note)
