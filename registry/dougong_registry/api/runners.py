"""What a runner says of itself. The request is signed by its key, like all it says."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_ci.report.routes import queues_of
from dougong_registry.api.authentication import runner_of
from dougong_registry.api.base import Api
from dougong_registry.api.serializers import HeartbeatInput, sent
from dougong_registry.fleet.selectors import ALIVE_S
from dougong_registry.fleet.services import heartbeat_take


class HeartbeatOutput(serializers.Serializer[Any]):
    """The queues that fit the machine, and how long the hub takes it as alive."""

    queues = serializers.ListField(child=serializers.CharField())
    alive_s = serializers.IntegerField()


class HeartbeatApi(Api):
    proof = "signature"

    @extend_schema(
        operation_id="runner_heartbeat", request=HeartbeatInput, responses=HeartbeatOutput
    )
    def post(self, request: Request) -> Response:
        """Say what the runner can do, and that it is there."""
        runner = runner_of(request)
        told = heartbeat_take(runner=runner, **sent(HeartbeatInput, request))
        return Response({"queues": queues_of(told.hardware), "alive_s": ALIVE_S})
