"""Submitting a wheel: taken once, refused with a reason, kept while there is no broker."""

from __future__ import annotations

import hashlib

import pytest

from dougong_registry.plugins.models import Artifact, Plugin, Release
from dougong_registry.submissions.models import Job, Submission


def problem(response, status):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    return body["detail"]


def nothing_is_kept(folder):
    kept = [path for path in (folder / "artifacts").rglob("*") if path.is_file()]
    return not kept and not any(
        model.objects.exists() for model in (Artifact, Plugin, Release, Submission, Job)
    )


def test_a_wheel_is_queued_and_waits_for_the_broker(ada, wheel_of):
    response = ada.submit()
    assert response.status_code == 201
    body = response.json()
    assert body["state"] == "queued"
    assert (body["distribution"], body["version"]) == ("acme-rms", "1.0")
    assert body["sha256"] == hashlib.sha256(wheel_of()).hexdigest()
    assert Job.objects.get().state == Job.State.QUEUED
    followed = ada.client.get(f"/api/v1/submissions/{body['id']}")
    assert followed.json() == body


def test_the_same_bytes_again_are_the_same_submission(ada):
    first, second = ada.submit(), ada.submit()
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (Submission.objects.count(), Job.objects.count()) == (1, 1)


def test_the_stored_bytes_come_back_and_may_be_cached_for_ever(ada, wheel_of):
    sha256 = ada.submit().json()["sha256"]
    response = ada.client.get(f"/api/v1/artifacts/{sha256}")
    assert b"".join(response.streaming_content) == wheel_of()
    assert "immutable" in response["Cache-Control"]
    assert "nothing" not in problem(ada.client.get("/api/v1/artifacts/" + "0" * 64), 404)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({}, "needs a token"),
        ({"Authorization": "Bearer dgp_wrong"}, "token"),
        ({"Authorization": "Basic YTpi"}, "needs a token"),
    ],
)
def test_without_a_good_token_nothing_is_taken(ada, folder, header, said):
    response = ada.client.post("/api/v1/submissions", {}, headers=header)
    assert said in problem(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"
    assert nothing_is_kept(folder)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "wheel"),
        ({"leave_out": "METADATA"}, "METADATA"),
        ({"leave_out": "entry_points.txt"}, "entry"),
        ({"../outside.py": "x"}, "../outside.py"),
        ({"name": "other"}, "other"),
    ],
    ids=["no-zip", "no-metadata", "no-entry-point", "path-outside", "another-name-inside"],
)
def test_a_wheel_that_is_none_is_refused_with_the_reason_and_nothing_is_kept(
    ada, folder, wheel_of, made, said
):
    data = b"not a zip" if made is None else wheel_of(**made)
    assert said in problem(ada.submit(data), 422)
    assert nothing_is_kept(folder)


def test_a_released_version_is_sealed(ada, wheel_of):
    ada.submit()
    other = ada.submit(wheel_of(**{"more.py": "x = 1\n"}))
    assert "sealed" in problem(other, 409)
    assert Release.objects.count() == 1


def test_a_plugin_belongs_to_who_published_it_first(ada, another_submitter, wheel_of):
    ada.submit()
    data = wheel_of(version="2.0")
    response = another_submitter("eve").submit(data, "acme_rms-2.0-py3-none-any.whl")
    assert "acme-rms" in problem(response, 403)
    assert Release.objects.count() == 1


def test_an_unknown_submission_is_a_problem_that_names_it(ada):
    assert "4711" in problem(ada.client.get("/api/v1/submissions/4711"), 404)
    assert "/api/v1/nowhere" in problem(ada.client.get("/api/v1/nowhere"), 404)


def test_a_token_is_kept_only_as_its_hash(ada):
    from dougong_registry.people.models import ApiToken

    row = ApiToken.objects.get()
    assert ada.token not in str(vars(row))
    assert row.token_sha256 == hashlib.sha256(ada.token.encode()).hexdigest()
