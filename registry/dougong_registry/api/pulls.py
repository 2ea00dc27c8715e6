"""Pull requests: which there are, and where one stands and why."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import ASK_AGAIN, Api
from dougong_registry.api.lists import PageApi, page_output
from dougong_registry.api.queries import PageQuery
from dougong_registry.api.serializers import output_of, render
from dougong_registry.forge.pulls import selectors
from dougong_registry.forge.pulls.rows import PullDetail, PullRow


class PullsQuery(PageQuery):
    """Filter of the list of pull requests: whom they wait for, or how they ended."""

    show = serializers.ChoiceField(choices=list(selectors.SHOWS), required=False, default="")


class PullListApi(PageApi):
    query = PullsQuery
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="pulls",
        parameters=[PullsQuery],
        responses=page_output("PullsPage", PullRow),
    )
    def get(self, request: Request) -> Response:
        """List pull requests, newest first."""
        return self.page(request, selectors.pulls_page)


class PullDetailApi(Api):
    cache = ASK_AGAIN

    @extend_schema(operation_id="pull", responses=output_of(PullDetail))
    def get(self, request: Request, number: int) -> Response:
        """Return a pull request: its heads, steps, reviews, verdicts and what was done."""
        return Response(render(selectors.pull_detail(number)))
