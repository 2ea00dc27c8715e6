"""The addresses of the site; the API has the same nouns under /api/v1/."""

from __future__ import annotations

from django.urls import path

from dougong_registry.web import compare_views, plugin_views, record_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("operators/", views.operators, name="operators"),
    path("operators/<str:provider>/<str:name>/", views.operator, name="operator"),
    path("plugins/", plugin_views.plugins, name="plugins"),
    path("plugins/<str:name>/", plugin_views.plugin, name="plugin"),
    path("plugins/<str:name>/<str:version>/", plugin_views.version, name="version"),
    path("compare/", compare_views.compare, name="compare"),
    path("boards/", views.boards, name="boards"),
    path("boards/<str:contract>/", views.board, name="board"),
    path("runs/<str:run_id>/", views.run, name="run"),
    path("submissions/", views.submissions, name="submissions"),
    path("submissions/<int:submission_id>/", views.submission, name="submission"),
    path("people/", record_views.people, name="people"),
    path("people/<str:login>/", record_views.person, name="person"),
    path("hardware/", record_views.hardware, name="hardware"),
    path("hardware/<path:hardware_class>/", record_views.machine, name="machine"),
    path("suites/", record_views.suites, name="suites"),
    path("suites/<str:contract>/<str:version>/", record_views.suite, name="suite"),
    path("audit/", record_views.audit, name="audit"),
    path("publish/", views.publish, name="publish"),
]
