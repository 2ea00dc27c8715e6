"""Every address of the hub: health, the API, the site."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from dougong_registry.api import health, problems

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("dougong_registry.api.urls")),
    re_path("^api/", problems.not_found),
    path("", include("dougong_registry.web.urls")),
]
