"""Messages of the forge: proved, taken once, recent; a storm of them judges each head once."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
import uuid

import pytest
from django.utils import timezone

from dougong_registry.forge.models import Delivery, Head, Pull

BASE = "b" * 40


@pytest.fixture
def message(hub, forge):
    """What the forge would say of a pull request whose head is a made-up commit."""

    def _message(number=1, head="a" * 40, action="opened", **values):
        if number not in forge.pulls:
            forge.open(number, head, BASE)
        forge.change(number, **{"head": {"sha": head}, **values})
        return forge.message(number, action)

    return _message


def test_a_message_is_taken_once(hub, message):
    said, delivery = message(), str(uuid.uuid4())
    assert hub.deliver(said, delivery=delivery).json() == {"outcome": "taken"}
    assert hub.deliver(said, delivery=delivery).json() == {"outcome": "seen"}
    assert (Delivery.objects.count(), Head.objects.count()) == (1, 1)


def test_the_same_bytes_under_another_id_are_a_replay(hub, message):
    said = message()
    assert hub.deliver(said).status_code == 202
    answer = hub.deliver(said)
    assert (answer.status_code, answer.json()["type"]) == (409, "/publish/#conflict")
    assert Delivery.objects.count() == 1


def test_old_bytes_are_late_and_change_nothing(hub, message):
    long_ago = (timezone.now() - dt.timedelta(minutes=6)).isoformat()
    assert hub.deliver(message(updated_at=long_ago)).json() == {"outcome": "late"}
    assert not Head.objects.exists()


@pytest.mark.parametrize("given", ["", "sha256=", "sha256=" + "0" * 64, "sha1=é", "x" * 5000])
def test_who_cannot_sign_is_refused(hub, message, given):
    answer = hub.client.post(
        "/api/v1/forge/deliveries",
        json.dumps(message()),
        content_type="application/json",
        headers={
            "X-GitHub-Event": "pull_request",
            "X-GitHub-Delivery": "1",
            "X-Hub-Signature-256": given,
        },
    )
    assert (answer.status_code, Delivery.objects.count()) == (401, 0)


def test_another_secret_is_refused_and_slowed_down(hub, message, settings):
    settings.RATES = {**settings.RATES, "address": (60, 3)}
    statuses = [hub.deliver(message(), secret="guess").status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert hub.deliver(message()).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"action": "opened"}',
        b'{"action": "opened", "pull_request": 1}',
    ],
)
def test_what_cannot_be_read_is_refused(hub, body):
    assert hub.deliver(body).status_code == 422
    assert not Delivery.objects.exists()


def test_a_message_too_large_is_refused_before_it_is_read(hub, message):
    answer = hub.deliver({**message(), "padding": "x" * (3 << 20)})
    assert answer.status_code == 413


def test_a_commit_that_is_an_option_is_refused(hub, message):
    assert hub.deliver(message(head="--upload-pack=touch /tmp/x")).status_code == 422


def test_other_events_and_repositories_are_ignored_on_purpose(hub, message, forge):
    said = message()
    assert hub.deliver({**said, "action": "labeled"}).json() == {"outcome": "ignored"}
    assert hub.deliver(said, event="push").json() == {"outcome": "ignored"}
    other = {**said, "repository": {"id": 1}}
    assert hub.deliver(other).json() == {"outcome": "ignored"}
    assert not Pull.objects.exists()


def test_a_hub_without_a_forge_has_no_such_door(client, settings):
    settings.FORGE = {}
    assert client.post("/api/v1/forge/deliveries").status_code == 404


def test_news_that_come_late_move_nothing_back(hub, message):
    now = timezone.now()
    new = message(head="2" * 40, updated_at=now.isoformat(), action="synchronize")
    old = message(head="1" * 40, updated_at=(now - dt.timedelta(seconds=9)).isoformat())
    assert [hub.deliver(each).status_code for each in (new, old)] == [202, 202]
    assert list(Head.objects.values_list("sha", "state")) == [("2" * 40, "received")]


def test_a_storm_makes_one_head_of_each_commit(hub, forge):
    """1,000 messages of 20 pull requests: in any order, many twice, some forged or replayed."""
    chance = random.Random(7)
    start = timezone.now() - dt.timedelta(seconds=100)
    storm = []
    for number in range(1, 21):
        for push in range(20):
            moment = (start + dt.timedelta(seconds=push)).isoformat()
            head = f"{number:02d}{push:02d}" * 10
            forge.open(number, head, BASE)
            forge.change(number, updated_at=moment)
            body = json.dumps(forge.message(number, "synchronize")).encode()
            delivery = str(uuid.uuid4())
            storm += [(body, delivery, True)] * 2
            storm.append((body, str(uuid.uuid4()), chance.random() < 0.5))
    storm = storm[:1000]
    chance.shuffle(storm)
    began = time.monotonic()
    seen: dict[int, int] = {}
    for body, delivery, proved in storm:
        secret = {} if proved else {"secret": "guess"}
        status = hub.deliver(body, delivery=delivery, **secret).status_code
        seen[status] = seen.get(status, 0) + 1
    took_s = time.monotonic() - began
    assert set(seen) == {200, 202, 401, 409}
    assert took_s < 60, "a storm of a minute takes longer than a minute"
    newest = list(Head.objects.exclude(state="superseded").values_list("pull__number", flat=True))
    assert sorted(newest) == sorted(Pull.objects.values_list("number", flat=True))
    told = {json.loads(body)["pull_request"]["head"]["sha"] for body, _, _ in storm}
    assert Head.objects.count() <= len(told)
    assert Head.objects.values("pull", "sha").distinct().count() == Head.objects.count()
