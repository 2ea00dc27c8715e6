"""Finding operators through the API and the page, on whichever database the suite runs on."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dougong_registry.search.models import Entry
from dougong_registry.search.words import deletions, distance

SUMMARIES = {
    "acme/fused-rms": ("norm.rms@1", "One pass over the row."),
    "acme/flash-attention": ("attention.exact@1", "Tiled softmax that never leaves the cache."),
    "zen/sparse-attention": ("attention.approx@1", "Skips keys below a learned threshold."),
    "zen/muon": ("optimizer.step@1", "Orthogonalised momentum."),
}


@pytest.fixture
def stocked(hub: Any) -> Any:
    submission = hub.submission("acme-ops")
    for name, (contract, summary) in SUMMARIES.items():
        record = hub.operator(submission, name, contract, summary=summary)
        if name != "zen/muon":
            hub.run(submission, record)
    return hub


def found(**query: Any) -> dict[str, Any]:
    return Client().get("/api/v1/operators", query).json()


def names(**query: Any) -> list[str]:
    return [row["name"] for row in found(**query)["results"]]


def facet(name: str, **query: Any) -> dict[str, int]:
    return {each["value"]: each["count"] for each in found(**query)["facets"][name]}


def pages(address: str, link: str = "next") -> list[dict[str, Any]]:
    """The pages from an address on, each by the link of the one before."""
    read = []
    while address:
        answer = Client().get(address)
        assert answer.status_code == 200, answer.content
        read.append(answer.json())
        address = read[-1][link]
    return read


@pytest.mark.parametrize(
    "query", ["ordering=name", "ordering=newest", "ordering=fastest", "q=attention", "q=norm"]
)
def test_every_operator_once_forwards_and_back_in_every_order(stocked, query):
    stocked.operator(stocked.submission("late-ops"), "aaa/late-attention", "norm.rms@1")
    (whole,) = pages(f"/api/v1/operators?{query}")
    expected = [row["name"] for row in whole["results"]]
    there = pages(f"/api/v1/operators?{query}&limit=1")
    assert [row["name"] for page in there for row in page["results"]] == expected
    assert there[0]["previous"] is None
    back = pages(there[-1]["previous"], "previous") if len(there) > 1 else []
    assert [row["name"] for page in reversed(back) for row in page["results"]] == expected[:-1]
    assert {page["total"] for page in there} == {whole["total"]}


def test_untimed_operators_come_last_and_are_not_lost_between_pages(stocked):
    stocked.operator(stocked.submission("late-ops"), "aaa/never-timed", "norm.rms@1")
    read = pages("/api/v1/operators?ordering=fastest&limit=1")
    rows = [row for page in read for row in page["results"]]
    speeds = [row["best_speedup"] for row in rows]
    assert speeds[-2:] == [None, None]
    assert len(rows) == 5
    timed = [speed for speed in speeds if speed is not None]
    assert timed == sorted(timed, reverse=True)


def test_an_offset_leads_to_the_same_pages(stocked):
    second = found(limit=2, offset=2)
    assert [row["name"] for row in second["results"]] == names()[2:]
    assert [row["name"] for row in pages(second["previous"])[0]["results"]] == names()[:2]


def test_a_cursor_of_another_order_is_of_no_place(stocked):
    cursor = found(limit=1, ordering="newest")["next"].partition("cursor=")[2]
    for ordering in ("name", "fastest"):
        answer = Client().get(f"/api/v1/operators?ordering={ordering}&cursor={cursor}")
        assert answer.status_code == 404
        assert "begin without one" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("ordering", "place"),
    [
        ("newest", ["-published_at,name", ["yesterday", "a"], False]),
        ("newest", ["-published_at,name", ["0001-01-01T00:00:00+14:00", "a"], False]),
        ("newest", ["-published_at,name", ["2026-01-01T00:00:00+00:00"], False]),
        ("fastest", ["-speed,name", [10**400, "a"], False]),
        ("fastest", ["-speed,name", [[], "a"], False]),
        ("name", ["name", ["a\0"], False]),
        ("name", ["name", ["a"], 0]),
        ("relevance", ["counted", [-1], False]),
        ("relevance", ["counted", [2**63], False]),
    ],
)
def test_a_cursor_that_somebody_made_up_is_of_no_place(db, ordering, place):
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    address = f"/api/v1/operators?q=a&ordering={ordering}&cursor={cursor}"
    assert Client().get(address).status_code == 404


def test_every_word_must_occur_and_may_be_a_beginning(stocked):
    assert set(names(q="attention")) == {"acme/flash-attention", "zen/sparse-attention"}
    assert names(q="atten skips") == ["zen/sparse-attention"]
    assert names(q="norm.rms@1") == ["acme/fused-rms"]
    assert names(q="attention momentum") == []


def test_a_word_of_the_name_counts_more_than_one_of_the_summary(stocked):
    submission = stocked.submission("late-ops")
    stocked.operator(submission, "aaa/other", summary="Unlike muon, no momentum.")
    assert names(q="muon") == ["zen/muon", "aaa/other"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("attnetion", "attention"),
        ("atention", "attention"),
        ("sparze", "sparse"),
        ("muonn", "muon"),
        ("orthogonalized", "orthogonalised"),
        ("flsh atention", "flash attention"),
    ],
)
def test_a_misspelled_word_finds_what_was_meant_and_says_so(stocked, typed, meant):
    answer = found(q=typed)
    assert answer["corrected"] == meant
    assert answer["results"] == found(q=meant)["results"] != []


def test_what_is_near_nothing_finds_nothing(stocked):
    answer = found(q="xylophone")
    assert (answer["results"], answer["total"], answer["corrected"]) == ([], 0, "")


def test_a_facet_counts_under_the_other_filters_and_keeps_its_own_choices(stocked):
    assert facet("family") == {"attention": 2, "norm": 1, "optimizer": 1}
    assert facet("family", family="norm") == {"attention": 2, "norm": 1, "optimizer": 1}
    assert facet("contract", family="norm") == {"norm.rms@1": 1}
    assert facet("verdict") == {"passed": 3, "none": 1}
    assert facet("family", verdict="none") == {"optimizer": 1}
    assert facet("dtype", q="sparse") == {"bfloat16": 1, "float32": 1}
    assert found(family="attention", contract="attention.exact")["total"] == 1
    assert found(device="cuda")["total"] == 0
    assert names(dtype="bfloat16", verdict="none") == ["zen/muon"]


@pytest.mark.parametrize("word", ['"', "*", "a OR b", "NEAR(", "x'; --", "%", "\u0130", "-", "名"])
def test_no_character_is_a_command(stocked, word):
    assert Client().get("/api/v1/operators", {"q": word}).status_code == 200
    assert Client().get("/operators/", {"q": word}).status_code == 200


def test_orderings(stocked):
    by_name = names()
    assert by_name == sorted(SUMMARIES)
    assert names(ordering="newest")[-1] == "acme/fused-rms"
    assert names(ordering="fastest")[-1] == "zen/muon"
    assert Client().get("/api/v1/operators", {"ordering": "luck"}).status_code == 400


def test_the_page_says_what_it_looked_for_instead(stocked, client):
    page = client.get("/operators/?q=atention&family=attention").content.decode()
    assert "These match <strong>attention</strong>" in page
    assert "acme/flash-attention" in page


def test_entries_made_anew_are_the_same(stocked):
    def all_rows() -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key != "id"}
            for row in Entry.objects.order_by("name").values()
        ]

    before = all_rows()
    call_command("reindex", verbosity=0)
    assert all_rows() == before
    assert names(q="fused") == ["acme/fused-rms"]


def test_a_search_takes_as_many_queries_however_much_there_is(stocked):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            found(q="attention", family="attention")
        return len(captured)

    before = queries()
    submission = stocked.submission("many-ops")
    for number in range(20):
        stocked.operator(submission, f"many/attention-{number}", "attention.exact@1")
    assert queries() == before <= 4


LETTERS = st.text("abcd", min_size=1, max_size=8)


@given(LETTERS, LETTERS)
@settings(max_examples=200)
def test_words_one_edit_apart_share_a_deletion(left, right):
    if distance(left, right) <= 1:
        assert set(deletions(left)) & set(deletions(right))


@given(LETTERS, LETTERS)
@settings(max_examples=200)
def test_distance_is_a_count_of_edits(left, right):
    assert distance(left, right) == distance(right, left)
    assert (distance(left, right) == 0) == (left == right)
    assert abs(len(left) - len(right)) <= distance(left, right) <= max(len(left), len(right))
