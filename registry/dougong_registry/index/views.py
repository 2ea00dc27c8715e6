"""The addresses that installers ask: lists, projects, files, metadata."""

from __future__ import annotations

from collections.abc import Callable

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from packaging.utils import canonicalize_name

from dougong_registry.advisories.selectors import revoked_among
from dougong_registry.index import answers, selectors
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Missing, Problem
from dougong_registry.storage.services import path_here

_FRESH_S = 60
_FOR_EVER = "public, max-age=31536000, immutable"
"""Of bytes whose hash is in the address."""


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """List every plugin that offers something."""
    names = selectors.project_names()
    return _negotiated(request, lambda: answers.list_json(names), lambda: answers.list_html(names))


@require_safe
def project(request: HttpRequest, name: str) -> HttpResponse:
    """List the files of one plugin; another spelling of its name leads to the one of PEP 503."""
    canonical = canonicalize_name(name)
    if name != canonical or not request.path.endswith("/"):
        return HttpResponseRedirect(f"/simple/{canonical}/")
    try:
        found = selectors.project(canonical)
    except Missing as missing:
        return _missing(missing.detail)
    return _negotiated(
        request, lambda: answers.project_json(found), lambda: answers.project_html(found)
    )


@require_safe
def file(request: HttpRequest, sha256: str, filename: str) -> HttpResponse | FileResponse:
    """Return the bytes of a wheel, or its METADATA where `.metadata` follows the name."""
    wheel = filename.removesuffix(".metadata")
    artifact = Artifact.objects.filter(
        sha256=sha256, filename=wheel, release__published_at__isnull=False
    ).first()
    if artifact is None:
        return _missing(f"no file {filename}")
    if revoked := revoked_among([sha256]).get(sha256):
        return HttpResponse(f"{wheel} is {revoked}", status=410, content_type="text/plain")
    answer: HttpResponse | FileResponse
    if wheel == filename:
        try:
            path = path_here(artifact)
        except Problem as problem:
            return HttpResponse(problem.detail, status=problem.status, content_type="text/plain")
        answer = FileResponse(path.open("rb"), content_type="application/zip")
    elif artifact.core_metadata_sha256:
        answer = HttpResponse(artifact.core_metadata.encode(), content_type="text/plain")
    else:
        return _missing(f"no metadata of {wheel} is kept; read it in the wheel")
    answer["Cache-Control"] = _FOR_EVER
    return answer


def _negotiated(
    request: HttpRequest, as_json: Callable[[], str], as_html: Callable[[], str]
) -> HttpResponse:
    kind = request.get_preferred_type(answers.TYPES)
    if kind is None:
        text = f"the index speaks {', '.join(answers.TYPES)}; ask for one of them in Accept"
        return HttpResponse(text, status=406, content_type="text/plain")
    answer = HttpResponse(
        as_json() if kind == answers.JSON_TYPE else as_html(),
        content_type=kind if kind == answers.JSON_TYPE else f"{kind}; charset=utf-8",
    )
    answer["Cache-Control"] = f"public, max-age={_FRESH_S}"
    patch_vary_headers(answer, ["Accept"])
    return answer


def _missing(text: str) -> HttpResponse:
    return HttpResponse(text, status=404, content_type="text/plain")
