"""Submitting a wheel and following what becomes of it."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from packaging.utils import canonicalize_name
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.authentication import submitter_of
from dougong_registry.api.base import ASK_AGAIN, FOR_EVER, Api
from dougong_registry.api.lists import SubmissionListApi
from dougong_registry.api.serializers import (
    EventsQuery,
    UploadInput,
    asked,
    output_of,
    render,
    sent,
)
from dougong_registry.api.writes import IDEMPOTENCY_KEY, answered_once, writer_of
from dougong_registry.boards import selectors
from dougong_registry.boards.rows import EventRow, RetryRow
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Missing
from dougong_registry.requests.replies import Answer
from dougong_registry.storage.services import path_here
from dougong_registry.submissions.cancelling import submission_cancel
from dougong_registry.submissions.services import submission_create


class _OperatorOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    outcome = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)
    run_id = serializers.CharField(allow_blank=True)


class SubmissionOutput(serializers.Serializer[Any]):
    """A wheel on its way through the judge."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    state = serializers.ChoiceField(choices=["queued", "judging", "judged", "failed"])
    distribution = serializers.CharField()
    version = serializers.CharField()
    sha256 = serializers.CharField()
    error = serializers.CharField(allow_blank=True)
    events_url = serializers.CharField()
    operators = _OperatorOutput(many=True)
    retry = output_of(RetryRow)(allow_null=True)
    waiting = serializers.ListField(child=serializers.CharField())


def _state(submission_id: int) -> dict[str, Any]:
    detail = selectors.submission_state(submission_id)
    row = detail.submission
    return {
        "id": row.id,
        "url": f"{settings.DOUGONG_HUB_URL}/submissions/{row.id}/",
        "state": row.state,
        "distribution": row.distribution,
        "version": row.version,
        "sha256": detail.sha256,
        "error": row.error,
        "events_url": f"/api/v1/submissions/{row.id}/events",
        "operators": [
            {"name": each.name, "outcome": each.outcome, "code": each.code, "run_id": each.run_id}
            for each in detail.operators
        ],
        "retry": detail.retry and render(detail.retry),
        "waiting": list(detail.waiting),
    }


class SubmissionsApi(SubmissionListApi):
    proof = "token"
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="submission_create",
        parameters=[IDEMPOTENCY_KEY],
        request=UploadInput,
        responses={200: SubmissionOutput, 201: SubmissionOutput},
    )
    def post(self, request: Request) -> Response:
        """Take a wheel in; the same bytes again are the same submission (200)."""
        # The token comes before the bytes; which plugin it must open is said by their name.
        submitter = writer_of(request, "upload", "*")
        wheel = sent(UploadInput, request)["wheel"]
        submitter_of(request, "upload", canonicalize_name(wheel.name.partition("-")[0]))

        def act() -> Answer:
            submission, created = submission_create(
                submitter=submitter, chunks=wheel.chunks(), filename=wheel.name
            )
            return 201 if created else 200, _state(submission.pk)

        # The bytes are read a second time only where there is a key to compare them for.
        keyed = "Idempotency-Key" in request.headers
        digest = hashlib.file_digest(wheel, "sha256").hexdigest() if keyed else ""
        return answered_once(request, submitter, [wheel.name, digest], act)


class SubmissionDetailApi(Api):
    cache = ASK_AGAIN

    @extend_schema(operation_id="submission", responses=SubmissionOutput)
    def get(self, request: Request, submission_id: int) -> Response:
        """Return how far a submission is."""
        return Response(_state(submission_id))


class SubmissionCancelApi(Api):
    proof = "token"

    @extend_schema(operation_id="submission_cancel", request=None, responses=SubmissionOutput)
    def post(self, request: Request, submission_id: int) -> Response:
        """Stop judging a submission; 409 where nothing of it is open."""
        actor = submitter_of(request)
        submission_cancel(actor=actor, submission_id=submission_id)
        return Response(_state(submission_id))


class SubmissionEventsApi(Api):
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="submission_events",
        parameters=[EventsQuery],
        responses=output_of(EventRow)(many=True),
    )
    def get(self, request: Request, submission_id: int) -> Response:
        """Return what happened after a sequence number, at most 1,000 events."""
        after = asked(EventsQuery, request)["after"]
        return Response(render(selectors.submission_events(submission_id, after=after)))


class ArtifactApi(Api):
    cache = FOR_EVER

    @extend_schema(
        operation_id="artifact", responses={(200, "application/zip"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, sha256: str) -> HttpResponseBase:
        """Return the bytes of a wheel by their hash."""
        artifact = Artifact.objects.filter(sha256=sha256).first()
        if artifact is None:
            raise Missing(f"no artifact {sha256}")
        etag = f'"{sha256}"'
        if unchanged := get_conditional_response(request._request, etag=etag):
            return unchanged  # before the file is opened
        response = FileResponse(
            path_here(artifact).open("rb"),
            as_attachment=True,
            filename=artifact.filename,
            content_type="application/zip",
        )
        response["ETag"] = etag
        return response
