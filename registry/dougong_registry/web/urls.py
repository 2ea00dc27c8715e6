"""The addresses of the site; the API has the same nouns under /api/v1/."""

from __future__ import annotations

from django.urls import path

from dougong_registry.boards import selectors
from dougong_registry.web import (
    community_views,
    compare_views,
    plugin_views,
    pull_views,
    record_views,
    upkeep_views,
    views,
)
from dougong_registry.web.kept import kept, kept_while

urlpatterns = [
    path("", kept(views.home), name="home"),
    path("operators/", kept(views.operators), name="operators"),
    path("operators/<str:provider>/<str:name>/", kept(views.operator), name="operator"),
    path("plugins/", kept(plugin_views.plugins), name="plugins"),
    path("plugins/<str:name>/", kept(plugin_views.plugin), name="plugin"),
    path("plugins/<str:name>/<str:version>/", kept(plugin_views.version), name="version"),
    path("compare/", kept(compare_views.compare), name="compare"),
    path("boards/", kept(views.boards), name="boards"),
    path("boards/<str:contract>/", kept_while(selectors.board_stamp)(views.board), name="board"),
    path("runs/<str:run_id>/", kept(views.run), name="run"),
    path("submissions/", views.submissions, name="submissions"),
    path("submissions/<int:submission_id>/", views.submission, name="submission"),
    path("pulls/", pull_views.pulls, name="pulls"),
    path("pulls/<int:number>/", pull_views.pull, name="pull"),
    path("people/", kept(record_views.people), name="people"),
    path("people/<str:login>/", kept(record_views.person), name="person"),
    path("community/", kept(community_views.community), name="community"),
    path("roles/", kept(community_views.roles), name="roles"),
    path("governance/<str:name>/", kept(community_views.text), name="text"),
    path("hardware/", kept(record_views.hardware), name="hardware"),
    path("hardware/<path:hardware_class>/", kept(record_views.machine), name="machine"),
    path("suites/", kept(record_views.suites), name="suites"),
    path("suites/<str:contract>/<str:version>/", kept(record_views.suite), name="suite"),
    path("rejudging/", kept(upkeep_views.rejudging), name="rejudging"),
    path("notices/", kept(upkeep_views.notices), name="notices"),
    path("audit/", kept(record_views.audit), name="audit"),
    path("publish/", kept(views.publish), name="publish"),
]
