from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dougong_registry.runs.models import Score


def get(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


PAIR = "/compare/?operator=acme/fused-rms&operator=dougong/rms-foreach"


@pytest.mark.usefixtures("furnished")
def test_what_is_compared_is_what_was_measured(client: Client) -> None:
    html = get(client, PAIR)
    for name in ("acme/fused-rms", "dougong/rms-foreach"):
        for score in Score.objects.filter(run__operator__name=name, run__superseded_at=None):
            assert f">{score.speedup:.2f}×<" in html
            assert f"{score.ci_low:.2f}–{score.ci_high:.2f}×" in html
    assert html.count("212 MB") == 2
    assert html.count("42.0%") == 4
    assert "different contracts" not in html


@pytest.mark.usefixtures("furnished")
def test_a_failed_operator_says_why_and_has_no_speed(client: Client) -> None:
    html = get(client, "/compare/?operator=acme/fused-rms&operator=acme/fast-but-wrong")
    assert "is 40 times its bound" in html
    assert html.count("not timed") == 2


@pytest.mark.usefixtures("furnished")
def test_speeds_over_different_baselines_are_not_put_against_each_other(client: Client) -> None:
    html = get(client, "/compare/?operator=acme/fused-rms&operator=dougong/linear")
    assert "different contracts" in html


@pytest.mark.usefixtures("furnished")
def test_the_machine_can_be_chosen(client: Client, hub: Any) -> None:
    submission = hub.submission("other")
    operator = hub.operator(submission, "other/rms")
    hub.run(submission, operator, hardware="cuda/H100/1", speedup=3.0)
    address = f"{PAIR}&operator=other/rms"
    assert "on cpu/Xeon" in get(client, address)
    there = get(client, f"{address}&hardware=cuda/H100/1")
    assert there.count("not judged here") == 2
    assert "none of them was judged on" in get(client, f"{address}&hardware=tpu", status=404)


@pytest.mark.usefixtures("furnished")
def test_too_few_and_too_many_are_answered(client: Client, hub: Any) -> None:
    assert "Nothing is chosen yet" in get(client, "/compare/")
    html = get(client, "/compare/?contract=norm.rms@1&operator=acme/fused-rms")
    assert html.count('type="checkbox"') == 6
    assert html.count('value="acme/fused-rms" checked>') == 1
    assert html.count('name="operator"') == html.count('id="pick-') == 6
    submission = hub.submission("many")
    for number in range(7):
        hub.operator(submission, f"many/op-{number}")
    names = "&".join(f"operator=many/op-{number}" for number in range(7))
    assert "many/op-6 is left out" in get(client, f"/compare/?{names}")
    assert "no operator" in get(client, "/compare/?operator=acme/fused-rms&operator=x/y", 404)


@pytest.mark.usefixtures("furnished")
def test_board_and_operator_lead_here_without_script(client: Client) -> None:
    board = get(client, "/boards/norm.rms@1/")
    assert '<form action="/compare/">' in board
    assert 'name="operator" value="acme/fused-rms"' in board
    assert "/compare/?contract=norm.rms%401" in get(client, "/operators/acme/fused-rms/")


@pytest.mark.usefixtures("furnished")
def test_six_ask_no_more_of_the_database_than_two(client: Client) -> None:
    counts = []
    more = "".join(f"&operator=dougong/{name}" for name in ("linear", "torch-rms", "low-rank"))
    for address in (PAIR, PAIR + more):
        with CaptureQueriesContext(connection) as captured:
            get(client, address)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8
