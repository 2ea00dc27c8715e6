"""Lists, page by page, and what stands behind their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import ASK_AGAIN, Api
from dougong_registry.api.queries import (
    PageQuery,
    PluginsQuery,
    RunnersQuery,
    RunsQuery,
    SubmissionsQuery,
)
from dougong_registry.api.serializers import asked, output_of, render
from dougong_registry.boards.list_rows import (
    PersonDetail,
    PersonRow,
    PluginDetail,
    PluginRelease,
    PluginReleaseDetail,
    RunnerRow,
)
from dougong_registry.boards.pages import PluginRow
from dougong_registry.boards.rows import RunRow, SubmissionRow
from dougong_registry.boards.selectors import listings
from dougong_registry.paging import Page

_LINKS = ("next", "previous")


def page_output(name: str, row: type) -> serializers.Serializer[Any]:
    """Return what describes a page of rows in the schema."""
    plain = serializers.ListField(child=serializers.DictField())
    results = plain if row is dict else output_of(row)(many=True)
    links = {link: serializers.CharField(allow_null=True) for link in _LINKS}
    return inline_serializer(name, {"results": results, **links})


def linked_output(row: type) -> type[serializers.Serializer[Any]]:
    """Return what describes a row that is itself a page, with the addresses beside it."""
    links = {link: serializers.CharField(allow_null=True) for link in _LINKS}
    return type(f"{row.__name__}Output", (output_of(row),), links)


def links_of(request: Request, name: str, **places: object) -> dict[str, str | None]:
    """Return the addresses of the pages beside this one; null where there is none.

    Args:
        request: The one that is answered; its other parameters go along.
        name: The parameter that says where a page begins.
        places: `next` and `previous` as values of it, empty or None at an end.
    """
    kept = {
        key: value for key, value in request.query_params.items() if key not in (name, "cursor")
    }
    return {
        link: None if place in ("", None) else f"{request.path}?{urlencode({**kept, name: place})}"
        for link, place in places.items()
    }


class PageApi(Api):
    """A list: rows, and the addresses of the pages beside them."""

    query: ClassVar[type[serializers.Serializer[Any]]] = PageQuery

    def page(self, request: Request, select: Callable[..., Page[Any]], *args: Any) -> Response:
        """Answer with the page that the query names."""
        page = select(*args, **asked(self.query, request))
        links = links_of(request, "cursor", next=page.next, previous=page.previous)
        return Response({"results": render(page.rows), **links})


class PluginListApi(PageApi):
    query = PluginsQuery

    @extend_schema(
        operation_id="plugins",
        parameters=[PluginsQuery],
        responses=page_output("PluginsPage", PluginRow),
    )
    def get(self, request: Request) -> Response:
        """List plugins by name."""
        return self.page(request, listings.plugins_page)


class PluginDetailApi(Api):
    @extend_schema(operation_id="plugin", responses=output_of(PluginDetail))
    def get(self, request: Request, name: str) -> Response:
        """Return one plugin and the operators it has ever held."""
        return Response(render(listings.plugin_detail(name)))


class ReleaseListApi(PageApi):
    @extend_schema(
        operation_id="releases",
        parameters=[PageQuery],
        responses=page_output("ReleasesPage", PluginRelease),
    )
    def get(self, request: Request, name: str) -> Response:
        """List the releases of a plugin, newest first."""
        return self.page(request, listings.releases_page, name)


class ReleaseDetailApi(Api):
    @extend_schema(operation_id="release", responses=output_of(PluginReleaseDetail))
    def get(self, request: Request, name: str, version: str) -> Response:
        """Return one release and the operators found in it."""
        return Response(render(listings.release_detail(name, version)))


class RunListApi(PageApi):
    query = RunsQuery

    @extend_schema(
        operation_id="runs", parameters=[RunsQuery], responses=page_output("RunsPage", RunRow)
    )
    def get(self, request: Request) -> Response:
        """List runs, newest first."""
        return self.page(request, listings.runs_page)


class PersonListApi(PageApi):
    @extend_schema(
        operation_id="people",
        parameters=[PageQuery],
        responses=page_output("PeoplePage", PersonRow),
    )
    def get(self, request: Request) -> Response:
        """List who has submitted or contributed something, in the order they came."""
        return self.page(request, listings.people_page)


class PersonDetailApi(Api):
    @extend_schema(operation_id="person", responses=output_of(PersonDetail))
    def get(self, request: Request, login: str) -> Response:
        """Return somebody, what is theirs, their role, and what is missing for the next."""
        return Response(render(listings.person_detail(login)))


class RunnerListApi(PageApi):
    query = RunnersQuery
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="runners",
        parameters=[RunnersQuery],
        responses=page_output("RunnersPage", RunnerRow),
    )
    def get(self, request: Request) -> Response:
        """List runners with the keys that their verdicts are checked with."""
        return self.page(request, listings.runners_page)


class SubmissionListApi(PageApi):
    """The reading half of /submissions; `SubmissionsApi` adds the way in."""

    query = SubmissionsQuery
    cache = ASK_AGAIN

    @extend_schema(
        operation_id="submissions",
        parameters=[SubmissionsQuery],
        responses=page_output("SubmissionsPage", SubmissionRow),
    )
    def get(self, request: Request) -> Response:
        """List submissions, newest first."""
        return self.page(request, listings.submissions_page)
