"""A suite retires on a day that was said, and what it ranked stays to be read."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dougong_registry.audit.models import Entry
from dougong_registry.suites import selectors
from dougong_registry.suites.models import Retirement

SUITE = "norm.rms@1/2026.1"
NEXT = "norm.rms@1/2026.10"
TODAY = timezone.now().date()


def retire(suite=SUITE, on=TODAY, reason="saturated"):
    call_command("suite", "retire", suite, "--on", str(on), "--reason", reason)


def board(**query):
    return Client().get("/api/v1/boards/norm.rms@1", query).json()


def listed():
    return {
        f"{row['contract']}/{row['version']}": (row["state"], row["retires_on"])
        for row in Client().get("/api/v1/suites").json()["results"]
    }


def page(address):
    answer = Client().get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_day_that_was_said_stands(judged, capsys):
    judged()
    later = TODAY + dt.timedelta(days=90)
    retire(on=later)
    retire(on=later)
    assert Entry.objects.filter(verb="suite.retired").count() == 1
    assert listed() == {SUITE: ("in force", str(later))}
    assert f"it retires on {later}" in page(f"/suites/{SUITE}/")
    assert f"in force until {later}" in page("/suites/")
    assert not board()["retired"]
    with pytest.raises(CommandError, match="and that stands") as refusal:
        retire(on=TODAY)
    assert refusal.value.returncode == 2
    capsys.readouterr()
    call_command("suite", "list")
    assert capsys.readouterr().out == f"{SUITE}  in force, retires on {later}  1 runs\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"suite": "norm.rms@1/2030.1"}, "nothing was judged under"),
        ({"on": TODAY - dt.timedelta(days=1)}, "is past"),
        ({"reason": " "}, "retirement does not fit"),
    ],
)
def test_a_day_that_cannot_be_is_refused(judged, asked, said):
    judged()
    with pytest.raises(CommandError, match=said):
        retire(**asked)
    assert not Retirement.objects.exists()


def test_what_it_ranked_stays_and_nothing_is_added(judged):
    first = judged()
    retire()
    later = judged("1.1", faster=2.0)
    found = board()
    assert found["retired"]
    assert [row["run_id"] for row in found["rows"]] == [first.verdict_id]
    (other,) = found["unranked"]
    assert other["run_id"] == later.verdict_id
    assert other["reason"] == f"judged under a suite that retired on {TODAY}"
    assert listed() == {SUITE: ("retired", str(TODAY))}
    for address in ("/boards/norm.rms@1/", f"/suites/{SUITE}/"):
        assert f"etired on {TODAY}" in page(address)
    assert "retired suite" in page("/boards/")


def test_boards_of_two_suites_are_never_one(judged, judge_again, monkeypatch):
    judged()
    second = judged("1.1", faster=1.2, suite=NEXT)
    assert {tuple(row[key] for key in ("suite", "entries")) for row in boards()} == {
        (SUITE, 1),
        (NEXT, 1),
    }
    # 2026.10 is newer than 2026.1, whatever the alphabet says.
    found = board()
    assert (found["suite"], found["suites"]) == (NEXT, [NEXT, SUITE])
    assert [row["run_id"] for row in found["rows"]] == [second.verdict_id]
    assert board(suite="2026.1")["rows"][0]["speedup"] == pytest.approx(1.5, rel=0.01)
    assert Client().get("/api/v1/boards/norm.rms@1", {"suite": "1999.1"}).status_code == 404
    assert 'href="?suite=2026.1"' in page("/boards/norm.rms@1/")
    retire(NEXT)
    assert board()["suite"] == SUITE
    assert board(suite="2026.10")["retired"]


def boards():
    return Client().get("/api/v1/boards").json()["results"]


def test_a_suite_retires_when_its_day_begins_in_utc(monkeypatch):
    day = dt.date(2026, 12, 1)
    for moment, state in (
        (dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.UTC), "in force"),
        (dt.datetime(2026, 12, 1, 0, 0, tzinfo=dt.UTC), "retired"),
    ):
        monkeypatch.setattr(selectors.timezone, "now", lambda moment=moment: moment)
        assert selectors.state_on(day) == state
    assert selectors.state_on(None) == "in force"
