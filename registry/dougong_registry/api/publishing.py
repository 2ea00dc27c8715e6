"""Publishing from CI: an ID token of a job for a token of the hub."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import Api
from dougong_registry.api.serializers import Text, sent
from dougong_registry.api.writes import address_of
from dougong_registry.publishing.claims import MAX_CHARACTERS
from dougong_registry.publishing.exchanging import exchange
from dougong_registry.requests.rates import rate_take


class ExchangeInput(serializers.Serializer[Any]):
    """The ID token of a job on GitHub Actions, and the plugin that it is about to upload."""

    token = Text(max_length=MAX_CHARACTERS)
    plugin = Text(max_length=128)


class ExchangeOutput(serializers.Serializer[Any]):
    """A token that uploads releases of this plugin and does nothing else."""

    token = serializers.CharField()
    scope = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ExchangeApi(Api):
    @extend_schema(
        operation_id="oidc_exchange", request=ExchangeInput, responses={201: ExchangeOutput}
    )
    def post(self, request: Request) -> Response:
        """Give a token of 15 minutes for an ID token, once; docs/accounts.md has the rules."""
        rate_take(rate="exchange", sender=address_of(request))
        asked = sent(ExchangeInput, request)
        given = exchange(id_token=asked["token"], plugin=asked["plugin"])
        return Response(ExchangeOutput(given).data, status=201)
