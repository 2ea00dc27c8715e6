"""The addresses of the site; the API has the same nouns under /api/v1/."""

from __future__ import annotations

from django.urls import path

from dougong_registry.web import views

urlpatterns = [
    path("", views.home, name="home"),
    path("operators/", views.operators, name="operators"),
    path("operators/<str:provider>/<str:name>/", views.operator, name="operator"),
    path("boards/", views.boards, name="boards"),
    path("boards/<str:contract>/", views.board, name="board"),
    path("runs/<str:run_id>/", views.run, name="run"),
    path("submissions/", views.submissions, name="submissions"),
    path("submissions/<int:submission_id>/", views.submission, name="submission"),
    path("publish/", views.publish, name="publish"),
]
