"""The ledger of contributions, page by page."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.lists import PageApi, page_output
from dougong_registry.api.queries import ContributionsQuery
from dougong_registry.boards.contribution_rows import ContributionRow
from dougong_registry.boards.selectors.contributions import contributions_page


class ContributionListApi(PageApi):
    query = ContributionsQuery

    @extend_schema(
        operation_id="contributions",
        parameters=[ContributionsQuery],
        responses=page_output("ContributionsPage", ContributionRow),
    )
    def get(self, request: Request) -> Response:
        """List who did what, recorded last first; what was replaced or taken back says so."""
        return self.page(request, contributions_page)
