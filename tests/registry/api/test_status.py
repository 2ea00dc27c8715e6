"""What an owner says of a plugin: everybody reads it, and an archive takes nothing more."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.test import Client

from dougong_registry.audit.models import Entry

SIMPLE = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture
def offered(ada, runner, job, verdict_of):
    runner.claim(job)
    runner.discover(job)
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert runner.complete(job).status_code == 200


def set_status(who, status, reason="", name="acme-rms"):
    return who.client.post(
        f"/api/v1/plugins/{name}/status",
        {"status": status, "reason": reason},
        content_type="application/json",
        headers={"Authorization": f"Bearer {who.token}"},
    )


def listed() -> dict:
    return Client().get("/simple/acme-rms/", headers=SIMPLE).json()


def entries() -> list[tuple[str, str, str]]:
    rows = Entry.objects.filter(verb__startswith="plugin.").order_by("seq")
    return [(row.actor, row.verb, json.loads(row.payload)["reason"]) for row in rows]


def test_an_archive_stays_on_offer_and_takes_no_further_release(ada, wheel_of, offered):
    answer = set_status(ada, "archived", "moved to acme-norms")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "name": "acme-rms",
        "status": "archived",
        "status_reason": "moved to acme-norms",
    }
    project = listed()
    assert project["project-status"] == {"status": "archived", "reason": "moved to acme-norms"}
    assert len(project["files"]) == 1
    assert "moved to acme-norms" in Client().get("/plugins/acme-rms/").content.decode()
    refused = ada.submit(wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert refused.status_code == 409
    assert "acme-rms is archived (moved to acme-norms)" in refused.json()["detail"]
    assert set_status(ada, "active").status_code == 200
    assert listed()["project-status"] == {"status": "active"}
    again = ada.submit(wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert again.status_code == 201, again.content
    assert entries() == [
        ("local:ada", "plugin.archived", "moved to acme-norms"),
        ("local:ada", "plugin.active", ""),
    ]


def test_what_is_deprecated_takes_releases(ada, wheel_of, offered):
    assert set_status(ada, "deprecated", "acme-norms is faster").status_code == 200
    assert listed()["project-status"]["status"] == "deprecated"
    more = ada.submit(wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert more.status_code == 201, more.content


def test_the_same_said_twice_is_noted_once(ada, job):
    for _ in range(2):
        assert set_status(ada, "archived", "done").status_code == 200
    assert len(entries()) == 1


@pytest.mark.parametrize(
    ("status", "reason", "code", "said"),
    [
        ("archived", "", 422, "needs a reason"),
        ("archived", "  ", 422, "needs a reason"),
        ("active", "because", 422, "takes no reason"),
        ("quarantined", "malware", 400, "quarantined"),
        ("archived", "x" * 513, 400, "512"),
    ],
)
def test_what_makes_no_sense_is_refused(ada, job, status, reason, code, said):
    answer = set_status(ada, status, reason)
    assert answer.status_code == code, answer.content
    assert said in answer.content.decode()
    assert entries() == []


def test_it_is_the_owners_to_say_and_a_quarantine_the_hubs(ada, job, another_submitter):
    eve = another_submitter("eve")
    assert set_status(eve, "archived", "mine now").status_code == 403
    assert set_status(ada, "archived", "gone", name="nobody").status_code == 404
    kept = ["moderation", "propose", "plugin.quarantine", "acme-rms"]
    call_command(*kept, "--login", "eve", "--reason", "steals keys")
    for status, reason in (("active", ""), ("archived", "done")):
        answer = set_status(ada, status, reason)
        assert answer.status_code == 409
        assert "steals keys" in answer.json()["detail"]


def test_a_quarantined_plugin_takes_no_release(ada, job, wheel_of, another_submitter):
    another_submitter("eve")
    kept = ["moderation", "propose", "plugin.quarantine", "acme-rms"]
    call_command(*kept, "--login", "eve", "--reason", "steals keys")
    answer = ada.submit(wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert answer.status_code == 409
    assert "quarantined (steals keys)" in answer.json()["detail"]
