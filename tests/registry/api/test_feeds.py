"""Feeds and badges: read as a feed reader or a README would."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def published(ada, runner, job, verdict_of):
    runner.claim(job)
    runner.discover(job)
    run = runner.send(job, verdict_of(job)).json()["run_id"]
    runner.complete(job)
    return run


def entries(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("application/atom+xml")
    found = ET.fromstring(answer.content).findall(f"{ATOM}entry")
    if found:  # an empty feed is as new as the moment it was asked for
        assert client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    return [
        (entry.findtext(f"{ATOM}title"), entry.find(f"{ATOM}link").get("href")) for entry in found
    ]


def test_feeds_tell_what_is_new_and_lead_to_pages_that_are_there(ada, published, client):
    told = {
        "/feeds/releases.atom": "acme-rms 1.0",
        "/feeds/plugins/Acme_RMS.atom": "acme-rms 1.0",
        "/feeds/operators.atom": "acme/rms",
        "/feeds/boards/norm.rms@1.atom": "acme/rms 1.0 passed on cpu-test",
    }
    for address, title in told.items():
        ((said, link),) = entries(client, address)
        assert said == title
        assert client.get(link.removeprefix("http://testserver")).status_code == 200


def test_nothing_is_offered_before_it_passed_and_a_yank_is_told(ada, job, client):
    assert entries(client, "/feeds/releases.atom") == []
    assert entries(client, "/feeds/boards/norm.rms@1.atom") == []
    assert client.get("/feeds/plugins/nobody.atom").status_code == 404
    assert client.get("/feeds/plugins/%00.atom").status_code == 404
    assert client.get("/feeds/boards/%00.atom").status_code == 404


def test_a_yanked_release_is_named_so(ada, published, client):
    address = "/api/v1/plugins/acme-rms/releases/1.0/yank"
    signed_in = {"Authorization": f"Bearer {ada.token}"}
    ada.client.post(address, {"reason": "x"}, content_type="application/json", headers=signed_in)
    ((title, _),) = entries(client, "/feeds/releases.atom")
    assert title == "acme-rms 1.0 (yanked)"


def badge(client, name, status=200):
    answer = client.get(f"/badges/{name}.svg")
    assert answer.status_code == status
    assert answer["Content-Type"] == "image/svg+xml"
    assert "max-age" in answer["Cache-Control"]
    root = ET.fromstring(answer.content)
    title = root.findtext(f"{SVG}title")
    assert root.get("aria-label") == title
    assert root.get("role") == "img"
    return title


def test_a_badge_says_the_outcome_and_the_speed(published, client):
    assert badge(client, "acme/rms") == "acme/rms: passed 1.50x"


def test_a_badge_of_what_is_not_judged_or_not_there_says_so(runner, job, client):
    runner.claim(job)
    runner.discover(job)
    assert badge(client, "acme/rms") == "acme/rms: not judged yet"
    assert badge(client, "acme/nothing", 404) == "acme/nothing: not on this hub"
    assert "&lt;b" not in badge(client, "a%3Cb/c", 404)
