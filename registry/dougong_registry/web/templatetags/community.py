"""Tags and filters of the pages about people and roles."""

from __future__ import annotations

from django import template

from dougong_registry.web import community, formats, ladder

register = template.Library()
register.filter("at_a_glance", community.at_a_glance)
register.filter("evidence_url", community.evidence_url)
register.filter("evidence_name", community.evidence_name)
register.filter("ladder", ladder.ladder)
register.filter("headline", ladder.headline)
register.filter("takes", ladder.takes)
register.filter("whole_percent", formats.whole_percent)
for chart in (
    community.people_chart,
    community.work_chart,
    community.absence_chart,
    community.response_chart,
    community.review_chart,
):
    register.simple_tag(chart)


@register.filter
def number(value: float) -> str:
    """Write a count or a share of one: `3`, `4.5`."""
    return f"{value:g}"
