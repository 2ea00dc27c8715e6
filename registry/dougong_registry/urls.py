"""Every address of the hub: health, the API, the index, the site."""

from __future__ import annotations

from django.conf import settings
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from dougong_registry.api import health, problems, resolve
from dougong_registry.index import views as index
from dougong_registry.metrics import views as metrics

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("dougong_registry.api.urls")),
    re_path("^api/", problems.not_found),
    path(".well-known/dougong-hub.json", resolve.well_known),
    path("simple/", index.projects),
    re_path("^simple/(?P<name>[A-Za-z0-9._-]+)/?$", index.project),
    path("files/<str:sha256>/<str:filename>", index.file),
    path("", include("dougong_registry.feeds.urls")),
    path("", include("dougong_registry.web.urls")),
]

if settings.DOUGONG_ADMIN:
    from dougong_registry.administration.site import site

    urlpatterns.insert(0, path("admin/", site.urls))

if settings.GITHUB:
    urlpatterns.insert(0, path("account/", include("dougong_registry.accounts.urls")))

handler500 = "dougong_registry.api.problems.broken"
