"""Pages of plugins and of their releases."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from packaging.utils import canonicalize_name

from dougong_registry.boards.selectors.plugins import plugin_detail, plugins_list, version_detail
from dougong_registry.web import readme
from dougong_registry.web.paging import PAGE, given, page_number, page_or_404


@require_safe
def plugins(request: HttpRequest) -> HttpResponse:
    """Plugins by name."""
    number = page_number(request)
    q = given(request, "q")
    found = plugins_list(q=q, limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {
        "section": "plugins",
        "q": q,
        "plugins": found[:PAGE],
        "page": number,
        "more": len(found) > PAGE,
    }
    return render(request, "dougong/plugins.html", context)


@require_safe
def plugin(request: HttpRequest, name: str) -> HttpResponse:
    """One plugin: what it holds, what was measured of it, who stands behind it."""
    canonical = canonicalize_name(name)
    if name != canonical:
        return redirect("plugin", canonical)
    number = page_number(request)
    with page_or_404():
        detail = plugin_detail(name, limit=PAGE, offset=PAGE * (number - 1))
    context = {
        "section": "plugins",
        "plugin": detail,
        "readme": readme.render(detail.core_metadata),
        "page": number,
        "more": detail.operator_count > PAGE * number,
    }
    return render(request, "dougong/plugin.html", context)


@require_safe
def version(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """One release: its file and hash, how to check them, what it needs."""
    canonical = canonicalize_name(name)
    if name != canonical:
        return redirect("version", canonical, version)
    with page_or_404():
        detail = version_detail(name, version)
    context = {
        "section": "plugins",
        "version": detail,
        "release": detail.release,
        "index": f"{settings.DOUGONG_HUB_URL}/simple/",
    }
    return render(request, "dougong/version.html", context)
