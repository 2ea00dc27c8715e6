"""The schema that is written down: up to date, and never less than it was."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from dougong_registry.api.compatibility import lost

SNAPSHOT = Path(__file__).parents[3] / "docs" / "schemas" / "openapi-1.json"
COMMAND = "dougong-hub spectacular --format openapi-json --file docs/schemas/openapi-1.json"


@pytest.fixture
def schema():
    out = io.StringIO()
    call_command("spectacular", format="openapi-json", stdout=out)
    return json.loads(out.getvalue())


def test_nothing_that_was_promised_is_gone(schema):
    gone = lost(json.loads(SNAPSHOT.read_text(encoding="utf-8")), schema)
    assert not gone, f"v1 only grows; put back {', '.join(gone)}"


def test_the_schema_that_is_written_down_is_the_one_in_force(schema):
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == schema, f"run {COMMAND}"


def test_what_is_taken_away_is_named(schema):
    less = copy.deepcopy(schema)
    del less["paths"]["/api/v1/boards"]
    del less["components"]["schemas"]["OperatorRowOutput"]["properties"]["paper"]
    gone = lost(schema, less)
    assert "GET /api/v1/boards" in gone
    assert "OperatorRowOutput.paper" in gone
    assert all("boards" in name or "paper" in name for name in gone)
    assert lost(less, schema) == ()
