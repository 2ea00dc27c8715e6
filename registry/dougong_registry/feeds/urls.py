"""Addresses of the feeds and badges."""

from __future__ import annotations

from django.urls import path

from dougong_registry.feeds.atom import (
    BoardFeed,
    NoticesFeed,
    OperatorsFeed,
    PluginFeed,
    ReleasesFeed,
)
from dougong_registry.feeds.badges import badge

urlpatterns = [
    path("feeds/releases.atom", ReleasesFeed(), name="feed-releases"),
    path("feeds/operators.atom", OperatorsFeed(), name="feed-operators"),
    path("feeds/notices.atom", NoticesFeed(), name="feed-notices"),
    path("feeds/boards/<str:contract>.atom", BoardFeed(), name="feed-board"),
    path("feeds/plugins/<str:name>.atom", PluginFeed(), name="feed-plugin"),
    path("badges/<str:provider>/<str:name>.svg", badge, name="badge"),
]
