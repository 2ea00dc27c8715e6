"""What anyone may read: operators, boards, runs."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import FOR_EVER, Api
from dougong_registry.api.lists import PageApi, linked_output, links_of, page_output
from dougong_registry.api.queries import BoardsQuery, OperatorsQuery
from dougong_registry.api.serializers import BoardQuery, asked, output_of, render
from dougong_registry.boards import selectors
from dougong_registry.boards.rows import Board, BoardSummary, OperatorDetail
from dougong_registry.boards.selectors.standings import boards_page
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run
from dougong_registry.search.rows import Found, Query
from dougong_registry.search.selectors import search


class OperatorListApi(Api):
    @extend_schema(
        operation_id="operators", parameters=[OperatorsQuery], responses=linked_output(Found)
    )
    def get(self, request: Request) -> Response:
        """Return the operators that match every filter, and what each facet offers."""
        data = asked(OperatorsQuery, request)
        page = {name: data.pop(name) for name in ("limit", "offset", "cursor")}
        found = search(Query(**data), **page)
        links = links_of(request, "cursor", next=found.next, previous=found.previous)
        return Response({**render(found), **links})


class OperatorDetailApi(Api):
    @extend_schema(operation_id="operator", responses=output_of(OperatorDetail))
    def get(self, request: Request, provider: str, name: str) -> Response:
        """Return one operator with its releases and runs, newest first."""
        return Response(render(selectors.operator_detail(f"{provider}/{name}")))


class BoardListApi(PageApi):
    query = BoardsQuery

    @extend_schema(
        operation_id="boards",
        parameters=[BoardsQuery],
        responses=page_output("BoardsOutput", BoardSummary),
    )
    def get(self, request: Request) -> Response:
        """List the boards that rank someone, by contract, machine, dtype and mode."""
        return self.page(request, boards_page)


class BoardDetailApi(Api):
    @extend_schema(operation_id="board", parameters=[BoardQuery], responses=linked_output(Board))
    def get(self, request: Request, contract: str) -> Response:
        """Return one board; what is not chosen is the fullest there is."""
        chosen = {name: value for name, value in asked(BoardQuery, request).items() if value}
        found = selectors.board(contract, **chosen)
        limit, offset = chosen["limit"], chosen.get("offset", 0)
        more = max(found.ranked, found.judged - found.ranked) > offset + limit
        links = links_of(
            request,
            "offset",
            next=offset + limit if more else None,
            previous=max(0, offset - limit) if offset else None,
        )
        return Response({**render(found), **links})


class RunDetailApi(Api):
    cache = FOR_EVER

    @extend_schema(
        operation_id="run",
        responses=inline_serializer(
            "RunOutput",
            {
                "id": serializers.CharField(),
                "payload": serializers.CharField(),
                "key_id": serializers.CharField(),
                "signature": serializers.CharField(),
                "verdict": serializers.DictField(),
            },
        ),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Return a run: the verdict exactly as it was signed, and readable."""
        run = Run.objects.filter(verdict_id=run_id).first()
        if run is None:
            raise Missing(f"no run {run_id!r}; runs are listed with their operators and boards")
        answer: dict[str, Any] = {
            "id": run.verdict_id,
            "payload": run.payload,
            "key_id": run.key_id,
            "signature": run.signature,
            "verdict": json.loads(run.payload),
        }
        return Response(answer)
