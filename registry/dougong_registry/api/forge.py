"""Pull requests: what the forge says by itself, what a building worker asks, provenance."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.authentication import runner_of
from dougong_registry.api.base import FOR_EVER, Api
from dougong_registry.api.serializers import NonceInput, Text, sent
from dougong_registry.api.writes import address_of
from dougong_registry.forge import builds
from dougong_registry.forge.config import configured
from dougong_registry.forge.models import Build, Provenance
from dougong_registry.forge.provenance import envelope
from dougong_registry.forge.webhooks.services import MAX_BYTES, delivery_take
from dougong_registry.forge.webhooks.signatures import hold_to_signature
from dougong_registry.problem import Forbidden, Missing, TooLarge, Unauthorized
from dougong_registry.requests.rates import rate_take
from dougong_registry.runs.models import Runner


class BuildCompleteInput(NonceInput):
    """What became of a build: a wheel in base64, or the reason why there is none."""

    outcome = serializers.ChoiceField(choices=["done", "failed", "errored"])
    filename = Text(max_length=256, allow_blank=True, default="")
    wheel = Text(max_length=32 << 20, allow_blank=True, default="")
    reason = Text(max_length=2000, allow_blank=True, default="")


class BuildOutput(serializers.Serializer[Any]):
    """A build; `sources_url` has its files as a tar archive."""

    plugin = serializers.CharField()
    state = serializers.CharField()
    sources_url = serializers.CharField()


class EnvelopeOutput(serializers.Serializer[Any]):
    """A DSSE envelope around an in-toto statement, signed with the hub's key."""

    payloadType = serializers.CharField()  # noqa: N815 - a name of DSSE
    payload = serializers.CharField()
    signatures = serializers.ListField(child=serializers.DictField())


class DeliveriesApi(Api):
    # What is sent here is the forge's own format, which is not ours to describe.
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Take a message of the forge; 404 where the hub serves none."""
        config = configured()
        if config is None or not config.webhook_secret:
            raise Missing("this hub takes no webhooks; see docs/forge.md")
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            raise TooLarge(f"a message may have {MAX_BYTES} bytes at most")
        body = request.body
        try:
            hold_to_signature(
                secret=config.webhook_secret,
                body=body,
                given=request.headers.get("X-Hub-Signature-256", ""),
            )
        except Unauthorized:
            # Only who cannot sign is slowed down: a storm of the forge's own is taken whole.
            rate_take(rate="address", sender=address_of(request))
            raise
        outcome = delivery_take(
            config=config,
            delivery_id=request.headers.get("X-GitHub-Delivery", ""),
            event=request.headers.get("X-GitHub-Event", ""),
            body=body,
        )
        return Response({"outcome": outcome}, status=202 if outcome == "taken" else 200)


def _state(build: Build) -> dict[str, str]:
    return {
        "plugin": build.head.plugin,
        "state": build.state,
        "sources_url": f"/api/v1/builds/{build.pk}/sources",
    }


def _official(request: Request) -> Runner:
    runner = runner_of(request)
    if not runner.official:
        raise Forbidden("builds are made by official runners; see `dougong-hub runner_register`")
    return runner


class BuildClaimApi(Api):
    proof = "signature"

    @extend_schema(operation_id="build_claim", request=NonceInput, responses=BuildOutput)
    def post(self, request: Request, build_id: int) -> Response:
        """Ask what to build; 409 where it is built or of another nonce."""
        _official(request)
        build = builds.build_open(build_id=build_id, **sent(NonceInput, request))
        return Response(_state(build))


class BuildSourcesApi(Api):
    @extend_schema(
        operation_id="build_sources", responses={(200, "application/x-tar"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, build_id: int) -> FileResponse:
        """Return the files to build, as a tar archive; they are public on the forge too."""
        build = Build.objects.filter(pk=build_id).first()
        path = builds.sources_of(build.tree) if build else None
        if path is None or not path.is_file():
            raise Missing(f"no sources of build {build_id}")
        return FileResponse(path.open("rb"), content_type="application/x-tar")


class BuildCompleteApi(Api):
    proof = "signature"

    @extend_schema(operation_id="build_complete", request=BuildCompleteInput, responses=BuildOutput)
    def post(self, request: Request, build_id: int) -> Response:
        """Hand in the wheel, or the reason why there is none; the first answer stands."""
        runner = _official(request)
        build = builds.build_complete(
            build_id=build_id, key_id=runner.key_id, **sent(BuildCompleteInput, request)
        )
        return Response(_state(build))


class ProvenanceApi(Api):
    cache = FOR_EVER

    @extend_schema(operation_id="artifact_provenance", responses=EnvelopeOutput)
    def get(self, request: Request, sha256: str) -> Response:
        """Return where a wheel came from, signed; 404 where it did not come by pull request."""
        found = Provenance.objects.filter(release__artifact__sha256=sha256).first()
        if found is None:
            raise Missing(f"no provenance of {sha256}: it was uploaded, or is not here")
        return Response(envelope(found))
