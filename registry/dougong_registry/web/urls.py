"""The addresses of the site; the API has the same nouns under /api/v1/."""

from __future__ import annotations

from django.urls import path

from dougong_registry.web import views
from dougong_registry.web.kept import kept

urlpatterns = [
    path("", kept(views.home), name="home"),
    path("operators/", kept(views.operators), name="operators"),
    path("operators/<str:provider>/<str:name>/", kept(views.operator), name="operator"),
    path("boards/", kept(views.boards), name="boards"),
    path("boards/<str:contract>/", kept(views.board), name="board"),
    path("runs/<str:run_id>/", kept(views.run), name="run"),
    path("submissions/", views.submissions, name="submissions"),
    path("submissions/<int:submission_id>/", views.submission, name="submission"),
    path("publish/", kept(views.publish), name="publish"),
]
