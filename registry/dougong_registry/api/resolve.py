"""What `dougong install` and `dougong audit` ask: which release, what is revoked, what is wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.advisories import selectors as advisories
from dougong_registry.api.base import Api
from dougong_registry.api.lists import PageApi, page_output
from dougong_registry.api.queries import AdvisoriesQuery
from dougong_registry.api.serializers import asked, output_of, render
from dougong_registry.columns import LARGEST_ID
from dougong_registry.resolution.decision import Candidate, Measured, PassedOver, Wish
from dougong_registry.resolution.selectors import resolve

LONGEST_AGE_S = 10 * 365 * 86400
_NUMBER = "(0|[1-9][0-9]{0,9})"
PEP440 = (
    rf"^({_NUMBER}!)?{_NUMBER}(\.{_NUMBER})*((a|b|rc){_NUMBER})?(\.post{_NUMBER})?"
    rf"(\.dev{_NUMBER})?(\+[a-z0-9]+(\.[a-z0-9]+)*)?$"
)


def _version() -> serializers.RegexField:
    """Return a field for a version in the canonical spelling of PEP 440, or nothing."""
    return serializers.RegexField(PEP440, default="", max_length=64)


class ResolveQuery(serializers.Serializer[Any]):
    """What is to be installed, and where."""

    name = serializers.CharField(max_length=128)
    version = _version()
    device = serializers.CharField(default="", max_length=32)
    dtype = serializers.CharField(default="", max_length=32)
    torch = _version()
    python = _version()
    min_age_s = serializers.IntegerField(default=0, min_value=0, max_value=LONGEST_AGE_S)
    allow_unmeasured = serializers.BooleanField(default=False)


class _ReleaseOutput(serializers.Serializer[Any]):
    distribution = serializers.CharField()
    version = serializers.CharField()
    filename = serializers.CharField()
    url = serializers.CharField()
    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()
    requires_python = serializers.CharField(allow_blank=True)
    published_at = serializers.DateTimeField()
    publisher = serializers.CharField()
    publisher_login = serializers.CharField()


class ResolveOutput(serializers.Serializer[Any]):
    """The release, null where none suits; what speaks for it; why not a newer one."""

    release = _ReleaseOutput(allow_null=True)
    measured = serializers.BooleanField()
    evidence = output_of(Measured)(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    passed_over = output_of(PassedOver)(many=True)


class ResolveApi(Api):
    @extend_schema(operation_id="resolve", parameters=[ResolveQuery], responses=ResolveOutput)
    def get(self, request: Request) -> Response:
        """Decide which release suits a machine, by what was measured, and say why."""
        given = asked(ResolveQuery, request)
        decision = resolve(given.pop("name"), Wish(now=timezone.now(), **given))
        return Response(
            {
                "release": decision.chosen and _release(decision.chosen),
                "measured": bool(decision.evidence),
                "evidence": render(decision.evidence),
                "warnings": list(decision.warnings),
                "passed_over": render(decision.passed_over),
            }
        )


def _release(chosen: Candidate) -> dict[str, Any]:
    row = dataclasses.asdict(chosen)
    row["url"] = f"/files/{chosen.sha256}/{chosen.filename}"
    return dict(_ReleaseOutput(row).data)


class SinceQuery(serializers.Serializer[Any]):
    """Lines after this sequence number."""

    since = serializers.IntegerField(default=0, min_value=0, max_value=LARGEST_ID)


class _LineOutput(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    payload = serializers.CharField()
    key_id = serializers.CharField()
    signature = serializers.CharField()


class RevocationsApi(Api):
    @extend_schema(
        operation_id="revocations",
        parameters=[SinceQuery],
        responses=inline_serializer(
            "RevocationsOutput",
            {"head": serializers.IntegerField(), "entries": _LineOutput(many=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        """Return the signed feed of revocations after a sequence number, 1,000 lines at most."""
        given = asked(SinceQuery, request)
        return Response(advisories.feed(**given))


class AdvisoryListApi(PageApi):
    query = AdvisoriesQuery

    @extend_schema(
        operation_id="advisories",
        parameters=[AdvisoriesQuery],
        responses=page_output("AdvisoriesOutput", dict),
    )
    def get(self, request: Request) -> Response:
        """Return the advisories as OSV records, newest first; withdrawn ones say so."""
        return self.page(request, advisories.advisories_page)


class AdvisoryDetailApi(Api):
    @extend_schema(operation_id="advisory", responses=inline_serializer("AdvisoryOutput", {}))
    def get(self, request: Request, number: str) -> Response:
        """Return one advisory as an OSV record."""
        return Response(advisories.advisory(number))


@require_safe
def well_known(request: HttpRequest) -> JsonResponse:
    """Return the public keys of this hub, at an address that every client knows."""
    return JsonResponse({"keys": advisories.keys()})
