"""What the owner of a plugin may do with it and its releases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import Api
from dougong_registry.api.serializers import Text, sent
from dougong_registry.api.writes import IDEMPOTENCY_KEY, answered_once, writer_of
from dougong_registry.audit.services import actor_of
from dougong_registry.plugins.models import STATUSES
from dougong_registry.plugins.services import release_yank
from dougong_registry.plugins.status import OWNED, plugin_status_set
from dougong_registry.requests.rates import rate_take
from dougong_registry.requests.replies import Answer


class YankInput(serializers.Serializer[Any]):
    """Why nobody should choose the release any more."""

    reason = Text(max_length=512, validators=[RegexValidator(r"\S")])


class YankOutput(serializers.Serializer[Any]):
    """A release and whether it is yanked."""

    plugin = serializers.CharField(source="plugin.name")
    version = serializers.CharField()
    yanked_at = serializers.DateTimeField(allow_null=True)
    yanked_reason = serializers.CharField(allow_blank=True)


class StatusInput(serializers.Serializer[Any]):
    """What is to become of the plugin."""

    status = serializers.ChoiceField(choices=OWNED)
    reason = Text(max_length=512, allow_blank=True, default="")


class StatusOutput(serializers.Serializer[Any]):
    """A plugin and its status (PEP 792)."""

    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    status_reason = serializers.CharField(allow_blank=True)


class PluginStatusApi(Api):
    proof = "token"

    @extend_schema(
        operation_id="plugin_status",
        parameters=[IDEMPOTENCY_KEY],
        request=StatusInput,
        responses=StatusOutput,
    )
    def post(self, request: Request, name: str) -> Response:
        """Archive or deprecate a plugin, or make it active again. What is offered stays so."""
        actor = writer_of(request, "yank")
        given = sent(StatusInput, request)
        status, reason = str(given["status"]), str(given["reason"])

        def act() -> Answer:
            rate_take(rate="yank", sender=actor_of(actor))
            plugin = plugin_status_set(actor=actor, name=name, status=status, reason=reason)
            return 200, StatusOutput(plugin).data

        return answered_once(request, actor, [status, reason], act)


class ReleaseYankApi(Api):
    proof = "token"

    @extend_schema(
        operation_id="release_yank",
        parameters=[IDEMPOTENCY_KEY],
        request=YankInput,
        responses=YankOutput,
    )
    def post(self, request: Request, name: str, version: str) -> Response:
        """Yank a release: installers pass it over, and who pins it still gets it (PEP 592)."""
        return _yank(request, name, version, lambda: str(sent(YankInput, request)["reason"]))


class ReleaseUnyankApi(Api):
    proof = "token"

    @extend_schema(
        operation_id="release_unyank",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=YankOutput,
    )
    def post(self, request: Request, name: str, version: str) -> Response:
        """Put a yanked release back."""
        return _yank(request, name, version, str)


def _yank(request: Request, name: str, version: str, read: Callable[[], str]) -> Response:
    actor = writer_of(request, "yank")
    reason = read()

    def act() -> Answer:
        rate_take(rate="yank", sender=actor_of(actor))
        release = release_yank(actor=actor, name=name, version=version, reason=reason)
        return 200, YankOutput(release).data

    return answered_once(request, actor, [reason], act)
