from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dougong_registry.boards.selectors.history import operator_history
from dougong_registry.runs.models import Run, Score
from dougong_registry.web import case_figures
from dougong_registry.web.charts.heatmap import shade


def get(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


@pytest.mark.usefixtures("furnished")
def test_history_names_release_and_torch_oldest_first(client: Client) -> None:
    html = get(client, "/operators/acme/fused-rms/").partition('id="trend"')[2]
    table = html.partition("<tbody>")[2].partition("</tbody>")[0]
    found = re.findall(r'">([\d.]+)</a></th><td data-label="torch">([\d.]+)<', table)
    assert list(dict.fromkeys(found)) == [
        ("1.1.0", "2.8.0"),
        ("1.1.0", "2.9.1"),
        ("1.2.0", "2.9.1"),
    ]
    for score in Score.objects.filter(run__operator__name="acme/fused-rms"):
        assert f">{score.speedup:.2f}×<" in table
    assert "1.1.0 · torch 2.8.0: " in html


def test_a_long_history_is_shown_twenty_at_a_time(client: Client, hub: Any) -> None:
    submission = hub.submission("old")
    operator = hub.operator(submission, "old/rms")
    for minor in range(23):
        hub.run(submission, operator, torch=f"2.{minor}.0", superseded=True, age_s=100 - minor)
    standing = hub.run(submission, operator, torch="3.0.0")
    parts = [get(client, f"/operators/old/rms/{page}") for page in ("", "?page=2", "?page=3")]
    lines = [re.findall(r'/runs/(\w+)/"><code>', part) for part in parts]
    assert [len(each) for each in lines] == [20, 4, 0]
    assert len(set(lines[0] + lines[1])) == 24
    assert lines[0][0] == standing.verdict_id
    assert all("24 runs, newest first" in part for part in parts[:2])
    assert "The history has no page 3." in parts[2]
    assert all("Speed-up over the contract's baseline on" in part for part in parts)


@pytest.mark.usefixtures("furnished")
def test_one_verdict_is_no_history(client: Client) -> None:
    assert 'id="trend"' not in get(client, "/operators/dougong/torch-rms/")


def test_a_verdict_cannot_name_another_torch_by_its_words(hub: Any) -> None:
    submission = hub.submission("sly")
    operator = hub.operator(submission, "sly/rms", claims=['"fingerprint":{"torch":"9.9"}'])
    hub.run(submission, operator, summary='"fingerprint":{"torch":"9.9"}', torch="2.7.0")
    assert {point.torch for point in operator_history("sly/rms")} == {"2.7.0"}


@pytest.mark.usefixtures("furnished")
def test_failed_and_held_runs_are_no_points(hub: Any) -> None:
    submission = hub.submission("held")
    operator = hub.operator(submission, "held/rms")
    hub.run(submission, operator, held_reason="under the physical floor")
    assert operator_history("held/rms") == ()
    assert operator_history("acme/fast-but-wrong") == ()


@pytest.mark.usefixtures("furnished")
def test_heat_map_and_its_table_say_what_each_case_says(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    html = get(client, f"/runs/{run.verdict_id}/").partition('id="speed"')[2]
    heat, _, rest = html.partition("Speed-up by workload, dtype and mode</caption>")
    table, _, below = rest.partition("</table>")
    drawn = re.findall(r'class="on" text-anchor="middle">([\d.]+×)<', heat)
    written = re.findall(r'class="num">([\d.]+×)<', table)
    each = re.findall(r'<strong class="speed">([\d.]+×)<', below)
    assert len(written) == 6
    assert sorted(drawn) == sorted(2 * written)  # the wide and the narrow drawing
    assert sorted(each) == sorted(written)


@pytest.mark.usefixtures("furnished")
def test_memory_is_drawn_where_it_was_measured(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    html = get(client, f"/runs/{run.verdict_id}/").partition("Memory against time")[2]
    assert "0 hold less memory" in html
    assert html.count("212 MB; baseline") == 2 * 6
    assert case_figures.memory_points([]) == []


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, 0), (0.6, 1), (0.9, 2), (1.0, 3), (1.1, 4), (1.5, 5), (9.0, 6)]
)
def test_shade_says_how_far_from_the_baseline(value: float, expected: int) -> None:
    assert shade(value) == expected
