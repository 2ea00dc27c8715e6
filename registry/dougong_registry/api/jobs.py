"""What a runner says: claim, events, runs, complete. Every request is signed by its key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.authentication import runner_of
from dougong_registry.api.base import Api
from dougong_registry.api.serializers import (
    CompleteInput,
    EventsInput,
    HandBackInput,
    NonceInput,
    RunInput,
    sent,
)
from dougong_registry.runs.models import Runner
from dougong_registry.runs.services import run_record
from dougong_registry.submissions.jobs import (
    job_claim,
    job_complete,
    job_events_append,
    job_hand_back,
)


class JobOutput(serializers.Serializer[Any]):
    """What to judge (of operators, none named means all), and how long the lease lasts."""

    submission = serializers.IntegerField()
    artifact_url = serializers.CharField()
    sha256 = serializers.CharField()
    distribution = serializers.CharField()
    version = serializers.CharField()
    operators = serializers.ListField(child=serializers.CharField())
    profile = serializers.CharField()
    device = serializers.CharField()
    lease_s = serializers.IntegerField()


class SeqOutput(serializers.Serializer[Any]):
    """The sequence number of the last event kept."""

    seq = serializers.IntegerField()


class RecordedOutput(serializers.Serializer[Any]):
    """The run as the hub keeps it."""

    run_id = serializers.CharField()
    created = serializers.BooleanField()


class StateOutput(serializers.Serializer[Any]):
    """The state of the job."""

    state = serializers.CharField()


class JobClaimApi(Api):
    proof = "signature"

    @extend_schema(operation_id="job_claim", request=NonceInput, responses=JobOutput)
    def post(self, request: Request, job_id: int) -> Response:
        """Take a job under a lease; 409 where it is over, taken, or not for this machine."""
        runner, given = _signed(request, NonceInput)
        job = job_claim(job_id=job_id, key_id=runner.key_id, **given)
        submission = job.submission
        return Response(
            {
                "submission": submission.pk,
                "artifact_url": f"/api/v1/artifacts/{submission.sha256}",
                "sha256": submission.sha256,
                "distribution": submission.release.plugin.name,
                "version": submission.release.version,
                "operators": job.operators,
                "profile": job.profile,
                "device": job.device,
                "lease_s": settings.JOB_LEASE_S,
            }
        )


class JobEventsApi(Api):
    proof = "signature"

    @extend_schema(operation_id="job_events", request=EventsInput, responses=SeqOutput)
    def post(self, request: Request, job_id: int) -> Response:
        """Append events and renew the lease."""
        runner, given = _signed(request, EventsInput)
        seq = job_events_append(job_id=job_id, key_id=runner.key_id, **given)
        return Response({"seq": seq})


class JobRunsApi(Api):
    proof = "signature"

    @extend_schema(
        operation_id="job_runs",
        request=RunInput,
        responses={200: RecordedOutput, 201: RecordedOutput},
    )
    def post(self, request: Request, job_id: int) -> Response:
        """Record a signed verdict; the same verdict again is recorded once (200)."""
        runner, given = _signed(request, RunInput)
        run, created = run_record(job_id=job_id, runner=runner, **given)
        answer = {"run_id": run.verdict_id, "created": created}
        return Response(answer, status=201 if created else 200)


class JobCompleteApi(Api):
    proof = "signature"

    @extend_schema(operation_id="job_complete", request=CompleteInput, responses=StateOutput)
    def post(self, request: Request, job_id: int) -> Response:
        """Close a job."""
        runner, given = _signed(request, CompleteInput)
        job = job_complete(job_id=job_id, key_id=runner.key_id, **given)
        return Response({"state": job.state})


class JobHandBackApi(Api):
    proof = "signature"

    @extend_schema(operation_id="job_hand_back", request=HandBackInput, responses=StateOutput)
    def post(self, request: Request, job_id: int) -> Response:
        """Give a job back, because the machine is being taken down."""
        runner, given = _signed(request, HandBackInput)
        job = job_hand_back(job_id=job_id, key_id=runner.key_id, **given)
        return Response({"state": job.state})


def _signed(
    request: Request, kind: type[serializers.Serializer[Any]]
) -> tuple[Runner, dict[str, Any]]:
    """Return who signed the request, before its body is read, and the fields of the body."""
    return runner_of(request), sent(kind, request)
