"""What keeps the boards true: suites, campaigns of judging again, second runs, notices."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import ASK_AGAIN, Api
from dougong_registry.api.lists import PageApi, page_output
from dougong_registry.api.queries import PageQuery, YesNo, word
from dougong_registry.api.serializers import output_of, render
from dougong_registry.api.writes import IDEMPOTENCY_KEY, answered_once, writer_of
from dougong_registry.boards.pages import SuiteRow
from dougong_registry.boards.selectors import upkeep
from dougong_registry.boards.selectors.suites import suites_list
from dougong_registry.boards.upkeep_rows import CampaignRow, NoticeRow, RerunRow
from dougong_registry.notices.models import STATES
from dougong_registry.notices.services import notice_acknowledge
from dougong_registry.requests.replies import Answer
from dougong_registry.reruns.models import RESULTS


class CampaignsQuery(PageQuery):
    """Filters of the list of campaigns."""

    hardware = word(128)
    live = YesNo(required=False, default=None)


class RerunsQuery(PageQuery):
    """Filter of the list of second runs."""

    result = serializers.ChoiceField(choices=RESULTS, required=False, default="")


class NoticesQuery(PageQuery):
    """Filters of the list of notices."""

    state = serializers.ChoiceField(choices=STATES, required=False, default="")
    plugin = word(128)
    operator = word(105)


class SuiteListApi(Api):
    @extend_schema(
        operation_id="suites",
        responses=inline_serializer("SuitesOutput", {"results": output_of(SuiteRow)(many=True)}),
    )
    def get(self, request: Request) -> Response:
        """List every suite with a run in force, and when it retires."""
        return Response({"results": render(suites_list())})


class CampaignListApi(PageApi):
    query = CampaignsQuery
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="campaigns",
        parameters=[CampaignsQuery],
        responses=page_output("CampaignsPage", CampaignRow),
    )
    def get(self, request: Request) -> Response:
        """List campaigns of judging again, newest first."""
        return self.page(request, upkeep.campaigns_page)


class RerunListApi(PageApi):
    query = RerunsQuery
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="reruns",
        parameters=[RerunsQuery],
        responses=page_output("RerunsPage", RerunRow),
    )
    def get(self, request: Request) -> Response:
        """List runs that a second one checks, newest first."""
        return self.page(request, upkeep.reruns_page)


class NoticeListApi(PageApi):
    query = NoticesQuery

    @extend_schema(
        operation_id="notices",
        parameters=[NoticesQuery],
        responses=page_output("NoticesPage", NoticeRow),
    )
    def get(self, request: Request) -> Response:
        """List what became worse, newest first."""
        return self.page(request, upkeep.notices_page)


class NoticeAcknowledgeApi(Api):
    proof = "token"

    @extend_schema(
        operation_id="notice_acknowledge",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=output_of(NoticeRow),
    )
    def post(self, request: Request, notice_id: int) -> Response:
        """Say, as the owner of the plugin, that a notice was seen; it stays until mended."""
        actor = writer_of(request, "submit", upkeep.notice_plugin(notice_id))

        def act() -> Answer:
            notice_acknowledge(actor=actor, notice_id=notice_id)
            body: dict[str, Any] = dict(output_of(NoticeRow)(upkeep.notice_row(notice_id)).data)
            return 200, body

        return answered_once(request, actor, [], act)
