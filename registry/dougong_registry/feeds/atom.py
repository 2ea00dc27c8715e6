"""Atom feeds: the newest releases and operators, a board's runs, one plugin's releases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.feedgenerator import Atom1Feed
from packaging.utils import canonicalize_name

from dougong_registry.boards.selectors.runs import runs_with_scores
from dougong_registry.boards.selectors.upkeep import notices_page
from dougong_registry.boards.upkeep_rows import NoticeRow
from dougong_registry.plugins.models import OperatorName, Plugin, Release
from dougong_registry.runs.models import CONCLUSIVE, Run
from dougong_registry.web.charts.svg import clean

ENTRIES = 30

if TYPE_CHECKING:
    _Feed = Feed[Any, Any]
else:
    # Generic in the stubs only.
    _Feed = Feed


class AtomFeed(_Feed):
    """Base of the feeds. No reader sees more than half an hour late."""

    feed_type = Atom1Feed
    link = "/"

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = super().__call__(request, *args, **kwargs)
        answer["Cache-Control"] = "public, max-age=1800"
        return answer


class ReleasesFeed(AtomFeed):
    title = "Dougong: newest releases"
    subtitle = "Releases whose operators have passed, as installers are offered them."

    def items(self, plugin: Plugin | None) -> QuerySet[Release]:
        releases = Release.objects.filter(published_at__isnull=False)
        if plugin is not None:
            releases = releases.filter(plugin=plugin)
        found = releases.select_related("plugin", "submission").order_by("-published_at", "-pk")
        return found[:ENTRIES]

    def item_title(self, item: Release) -> str:
        yanked = " (yanked)" if item.yanked_at else ""
        return clean(f"{item.plugin.name} {item.version}{yanked}")

    def item_description(self, item: Release) -> str:
        return clean(item.plugin.summary)

    def item_link(self, item: Release) -> str:
        return f"/submissions/{item.submission.pk}/"

    def item_pubdate(self, item: Release) -> dt.datetime:
        return item.published_at or item.created_at

    def item_updateddate(self, item: Release) -> dt.datetime:
        return item.yanked_at or self.item_pubdate(item)


class PluginFeed(ReleasesFeed):
    """The releases of one plugin."""

    def get_object(self, request: HttpRequest, name: str) -> Plugin:
        return get_object_or_404(Plugin, canonical=canonicalize_name(name))

    def title(self, plugin: Plugin) -> str:  # type: ignore[override] # syndication takes both
        return clean(f"Dougong: releases of {plugin.name}")


class OperatorsFeed(AtomFeed):
    title = "Dougong: newest operators"
    subtitle = "Operators that were not on the hub before."

    def items(self) -> QuerySet[OperatorName]:
        return OperatorName.objects.select_related("plugin").order_by("-pk")[:ENTRIES]

    def item_title(self, item: OperatorName) -> str:
        return item.name

    def item_description(self, item: OperatorName) -> str:
        return clean(f"In {item.plugin.name}. {item.plugin.summary}")

    def item_link(self, item: OperatorName) -> str:
        return f"/operators/{item.name}/"

    def item_pubdate(self, item: OperatorName) -> dt.datetime:
        return item.created_at


class NoticesFeed(AtomFeed):
    title = "Dougong: notices"
    subtitle = "Operators that became slower or less exact than they were."

    def items(self) -> tuple[NoticeRow, ...]:
        return notices_page(limit=ENTRIES).rows

    def item_title(self, item: NoticeRow) -> str:
        return clean(f"{item.operator} became worse on {item.hardware_class} ({item.state})")

    def item_description(self, item: NoticeRow) -> str:
        return clean(item.words)

    def item_guid(self, item: NoticeRow) -> str:
        return f"{settings.DOUGONG_HUB_URL}/notices/#{item.id}"

    def item_link(self, item: NoticeRow) -> str:
        return f"/runs/{item.to_run_id}/"

    def item_pubdate(self, item: NoticeRow) -> dt.datetime:
        return item.opened_at

    def item_updateddate(self, item: NoticeRow) -> dt.datetime:
        return item.closed_at or item.acknowledged_at or item.opened_at


class BoardFeed(AtomFeed):
    """The official runs of one contract that told something: what moved its boards."""

    subtitle = "Official runs that passed or failed, newest first."

    def get_object(self, request: HttpRequest, contract: str) -> str:
        return contract

    def title(self, contract: str) -> str:
        return clean(f"Dougong: the boards of {contract}")

    def link(self, contract: str) -> str:  # type: ignore[override] # syndication takes both
        return f"/boards/{contract}/"

    def items(self, contract: str) -> QuerySet[Run]:
        runs = runs_with_scores().filter(
            contract=contract, official=True, outcome__in=CONCLUSIVE, held_reason=""
        )
        return runs.order_by("-pk")[:ENTRIES]

    def item_title(self, item: Run) -> str:
        version = item.operator.release.version
        return clean(f"{item.operator.name} {version} {item.outcome} on {item.hardware_class}")

    def item_description(self, item: Run) -> str:
        scores = [f"{s.speedup:.2f}x {s.dtype} {s.mode}" for s in item.scores.all()]
        return clean("; ".join([item.summary, *scores] if item.summary else scores))

    def item_link(self, item: Run) -> str:
        return f"/runs/{item.verdict_id}/"

    def item_pubdate(self, item: Run) -> dt.datetime:
        return item.recorded_at
