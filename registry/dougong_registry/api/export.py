"""The whole hub as one file, for whoever keeps a mirror of it."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from dougong_registry.api.base import Api
from dougong_registry.api.writes import writer_of
from dougong_registry.audit.services import actor_of
from dougong_registry.exports.streaming import ExportTar
from dougong_registry.requests.rates import rate_take


class ExportApi(Api):
    cache = "private, no-cache"
    proof = "token"
    proved = ("GET",)

    @extend_schema(
        operation_id="export", responses={(200, "application/x-tar"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return every table that leaves the hub as JSON lines, with a manifest, in one tar.

        The ETag is the sha256 of the manifest, which has the sha256 of every table.
        """
        rate_take(rate="export", sender=actor_of(writer_of(request, "read")))
        tar = ExportTar()
        etag = f'"{tar.digest}"'
        answer: Any = StreamingHttpResponse(
            tar,
            content_type="application/x-tar",
            headers={
                "ETag": etag,
                "Content-Length": str(tar.size_bytes),
                "Content-Disposition": 'attachment; filename="dougong-export.tar"',
            },
        )
        told = get_conditional_response(request._request, etag=etag, response=answer)
        if told is not answer:
            tar.close()
        return told or answer
