"""Boards with many places: pages, ranks over all of them, and reasons."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dougong_registry.boards.models import Heading, Place


def board(**query: Any) -> dict[str, Any]:
    return Client().get("/api/v1/boards/norm.rms@1", query).json()


@pytest.fixture
def crowded(hub: Any) -> Any:
    submission = hub.submission("crowd")
    for number in range(12):
        hub.run(submission, hub.operator(submission, f"crowd/op-{number:02}"), speedup=1 + number)
    return hub


def test_ranks_count_over_the_whole_board_whatever_page_is_shown(crowded):
    whole = [(row["rank"], row["operator"]) for row in board(limit=100)["rows"]]
    assert whole[0] == (1, "crowd/op-11")
    assert [rank for rank, _ in whole] == sorted(rank for rank, _ in whole)
    paged = [
        (row["rank"], row["operator"])
        for offset in (0, 5, 10)
        for row in board(limit=5, offset=offset)["rows"]
    ]
    assert paged == whole
    assert board(limit=5)["ranked"] == 12


def test_the_links_of_a_board_lead_over_all_of_it(crowded):
    read, address = [], "/api/v1/boards/norm.rms@1?limit=5&mode=infer"
    while address:
        read.append(Client().get(address).json())
        address = read[-1]["next"]
    assert [len(page["rows"]) for page in read] == [5, 5, 2]
    assert read[0]["previous"] is None
    assert Client().get(read[1]["previous"]).json()["rows"] == read[0]["rows"]


def test_the_list_of_boards_comes_in_pages(crowded):
    whole = Client().get("/api/v1/boards").json()["results"]
    first = Client().get("/api/v1/boards?limit=1&family=norm").json()
    assert (first["results"], len(whole)) == (whole[:1], 2)
    second = Client().get(first["next"]).json()
    assert (second["results"], second["next"]) == (whole[1:], None)
    assert Client().get(second["previous"]).json()["results"] == first["results"]
    assert Client().get("/api/v1/boards?family=attention").json()["results"] == []


def test_a_page_of_a_board_takes_as_many_queries_however_crowded(crowded, client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/boards/norm.rms@1/").status_code == 200
        return len(captured)

    before = queries()
    submission = crowded.submission("more")
    for number in range(10):
        crowded.run(submission, crowded.operator(submission, f"more/op-{number}"))
    assert queries() == before <= 7


def test_places_made_anew_are_the_same(crowded):
    def rows(model: Any, *order: str) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key not in {"id", "changed_at"}}
            for row in model.objects.order_by(*order).values()
        ]

    before = rows(Place, "run_id", "dtype", "mode"), rows(Heading, "dtype", "mode")
    call_command("reindex", verbosity=0)
    assert (rows(Place, "run_id", "dtype", "mode"), rows(Heading, "dtype", "mode")) == before


@pytest.mark.parametrize(
    "broken",
    [{"kind": "winner"}, {"kind": "ranked", "speedup": None}],
)
def test_the_database_holds_what_a_place_is(crowded, broken):
    place = Place.objects.filter(kind="ranked").first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Place.objects.filter(pk=place.pk).update(**broken)


def test_one_place_for_a_run_on_a_board(crowded):
    place = Place.objects.first()
    place.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        place.save(force_insert=True)
    heading = Heading.objects.first()
    heading.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        heading.save(force_insert=True)


def test_a_board_that_ranks_somebody_has_a_leader(crowded):
    with pytest.raises(IntegrityError), transaction.atomic():
        Heading.objects.filter(ranked__gt=0).update(leader_speedup=None)


def test_boards_of_what_optimizers_train_are_listed_by_task(schooled, client):
    page = client.get("/boards/", {"family": "optimizer"}).content.decode()
    assert "No board has a ranked operator yet" not in page
    text = " ".join(re.sub("<[^>]+>", " ", page).split())
    assert "cpu/Xeon-8481C/2c/avx512 digits 0.109 31 3" in text
    assert "cpu/Xeon-8481C/2c/avx512 text 2.180 31 3" in text
    (link,) = re.findall(r'href="(/boards/optimizer.train@1/[^"]*)#task-text"', page)
    assert "Trained on text" in client.get(html.unescape(link)).content.decode()
    assert "digits" not in client.get("/boards/", {"family": "norm"}).content.decode()
