"""What the owner of a plugin may do with its releases."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.authentication import submitter_of
from dougong_registry.api.base import Api
from dougong_registry.api.serializers import Text, sent
from dougong_registry.plugins.services import release_yank


class YankInput(serializers.Serializer[Any]):
    """Why nobody should choose the release any more."""

    reason = Text(max_length=512, validators=[RegexValidator(r"\S")])


class YankOutput(serializers.Serializer[Any]):
    """A release and whether it is yanked."""

    plugin = serializers.CharField(source="plugin.name")
    version = serializers.CharField()
    yanked_at = serializers.DateTimeField(allow_null=True)
    yanked_reason = serializers.CharField(allow_blank=True)


class ReleaseYankApi(Api):
    proof = "token"

    @extend_schema(operation_id="release_yank", request=YankInput, responses=YankOutput)
    def post(self, request: Request, name: str, version: str) -> Response:
        """Yank a release: installers pass it over, and who pins it still gets it (PEP 592)."""
        actor = submitter_of(request)
        reason = sent(YankInput, request)["reason"]
        release = release_yank(actor=actor, name=name, version=version, reason=reason)
        return Response(YankOutput(release).data)


class ReleaseUnyankApi(Api):
    proof = "token"

    @extend_schema(operation_id="release_unyank", request=None, responses=YankOutput)
    def post(self, request: Request, name: str, version: str) -> Response:
        """Put a yanked release back."""
        actor = submitter_of(request)
        release = release_yank(actor=actor, name=name, version=version, reason="")
        return Response(YankOutput(release).data)
