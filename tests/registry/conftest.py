from __future__ import annotations

import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest):
    """Lift the guards before a transactional test's tables are emptied; `flush` puts them back."""
    marker = request.node.get_closest_marker("django_db")
    transactional = {"transactional_db", "live_server"} & set(request.fixturenames) or (
        marker is not None and marker.kwargs.get("transaction")
    )
    if not transactional:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    from dougong_registry.guards.install import lift

    lift(connection)
