"""What anyone may read: operators, boards, runs."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dougong_registry.api.base import FOR_EVER, Api
from dougong_registry.api.serializers import BoardQuery, OperatorsQuery, asked, output_of, render
from dougong_registry.boards import selectors
from dougong_registry.boards.rows import Board, BoardSummary, OperatorDetail
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run
from dougong_registry.search.rows import Found, Query
from dougong_registry.search.selectors import search


class OperatorListApi(Api):
    @extend_schema(
        operation_id="operators",
        parameters=[OperatorsQuery],
        responses=output_of(Found),
    )
    def get(self, request: Request) -> Response:
        """Return the operators that match every filter, and what each facet offers."""
        data = asked(OperatorsQuery, request)
        page = {name: data.pop(name) for name in ("limit", "offset")}
        return Response(render(search(Query(**data), **page)))


class OperatorDetailApi(Api):
    @extend_schema(operation_id="operator", responses=output_of(OperatorDetail))
    def get(self, request: Request, provider: str, name: str) -> Response:
        """Return one operator with its releases and runs, newest first."""
        return Response(render(selectors.operator_detail(f"{provider}/{name}")))


class BoardListApi(Api):
    @extend_schema(
        operation_id="boards",
        responses=inline_serializer(
            "BoardsOutput", {"results": output_of(BoardSummary)(many=True)}
        ),
    )
    def get(self, request: Request) -> Response:
        """Return every board that ranks someone."""
        return Response({"results": render(selectors.boards_list())})


class BoardDetailApi(Api):
    @extend_schema(operation_id="board", parameters=[BoardQuery], responses=output_of(Board))
    def get(self, request: Request, contract: str) -> Response:
        """Return one board; what is not chosen is the fullest there is."""
        chosen = {name: value for name, value in asked(BoardQuery, request).items() if value}
        return Response(render(selectors.board(contract, **chosen)))


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
