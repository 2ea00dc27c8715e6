"""Writes: within the token's scopes, not too often, and once however often they are sent."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from dougong_registry.audit.models import Entry
from dougong_registry.people.models import ApiToken
from dougong_registry.people.services import token_create
from dougong_registry.requests.models import Reply
from dougong_registry.submissions.models import Submission

DAY = dt.timedelta(days=1, seconds=1)
YANK = "/api/v1/plugins/acme-rms/releases/1.0/yank"


def bearer(token, **more):
    return {"Authorization": f"Bearer {token}", **more}


def yank(who, reason="wrong", token="", **headers):
    return who.client.post(
        YANK,
        {"reason": reason},
        content_type="application/json",
        headers=bearer(token or who.token, **headers),
    )


def submit(who, data, name="acme_rms-1.0-py3-none-any.whl", token="", **headers):
    upload = SimpleUploadedFile(name, data)
    return who.client.post(
        "/api/v1/submissions", {"wheel": upload}, headers=bearer(token or who.token, **headers)
    )


def test_the_same_key_gets_the_same_answer_and_acts_once(ada, job):
    key = {"Idempotency-Key": "a-1"}
    first, second = yank(ada, **key), yank(ada, **key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Entry.objects.filter(verb="release.yanked").count() == 1


def test_a_submission_with_a_key_is_answered_again_as_it_was(ada, wheel_of):
    key = {"Idempotency-Key": "a-1"}
    first, second = submit(ada, wheel_of(), **key), submit(ada, wheel_of(), **key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Submission.objects.count() == 1
    other = submit(ada, wheel_of(**{"more.py": "x = 1\n"}), **key)
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]


def test_a_key_is_of_one_person_and_one_request(ada, job, another_submitter):
    key = {"Idempotency-Key": "a-1"}
    assert yank(ada, **key).status_code == 200
    other = yank(ada, "another reason", **key)
    assert other.status_code == 422
    assert "a-1" in other.json()["detail"]
    assert yank(another_submitter("eve"), **key).status_code == 403


def test_a_refusal_is_not_kept_and_a_key_lasts_a_day(ada, job, another_submitter):
    key = {"Idempotency-Key": "a-1"}
    assert yank(another_submitter("eve"), **key).status_code == 403
    assert not Reply.objects.exists()
    assert yank(ada, **key).status_code == 200
    reply = Reply.objects.get()
    Reply.objects.update(created_at=reply.created_at - DAY)
    assert "Idempotent-Replayed" not in yank(ada, **key)
    assert yank(ada, **{"Idempotency-Key": "x" * 256}).status_code == 422


def test_a_request_at_work_is_a_conflict_until_it_is_taken_for_lost(ada, job):
    key = {"Idempotency-Key": "a-1"}
    yank(ada, **key)
    Reply.objects.update(status=None)
    assert yank(ada, **key).status_code == 409
    Reply.objects.update(created_at=Reply.objects.get().created_at - DAY / 24)
    assert yank(ada, **key).status_code == 200


def test_new_names_are_five_at_once_and_the_sixth_says_when(ada, wheel_of, settings):
    settings.RATES = {**settings.RATES, "plugin": (600, 5)}
    names = [f"acme-{word}" for word in ("one", "two", "three", "four", "five", "six")]
    files = {name: f"{name.replace('-', '_')}-1.0-py3-none-any.whl" for name in names}
    answers = [submit(ada, wheel_of(name=name), files[name]) for name in names]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
    refused = answers[-1]
    assert refused["Content-Type"] == "application/problem+json"
    assert 590 <= int(refused["Retry-After"]) <= 600
    assert "one every 600 s" in refused.json()["detail"]
    again = submit(ada, wheel_of(name="acme-one", version="2.0"), "acme_one-2.0-py3-none-any.whl")
    assert again.status_code == 201


def test_a_rate_comes_back_and_is_of_one_person(ada, job, settings, another_submitter):
    settings.RATES = {**settings.RATES, "yank": (1, 1)}
    assert yank(ada).status_code == 200
    assert yank(ada).status_code == 429
    assert yank(another_submitter("eve")).status_code == 403
    time.sleep(1.1)
    assert yank(ada).status_code == 200


def test_an_address_cannot_guess_tokens_at_speed(client, settings):
    settings.RATES = {**settings.RATES, "address": (60, 3)}
    here, there = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}

    def guess(**extra):
        return client.post(YANK, headers=bearer("dgp_no"), **extra).status_code

    assert [guess(**here) for _ in range(4)] == [401, 401, 401, 429]
    assert guess(**there) == 401
    assert guess(**here, HTTP_X_FORWARDED_FOR="192.0.2.9") == 429
    settings.DOUGONG_PROXIES = 1
    assert guess(**here, HTTP_X_FORWARDED_FOR="spoofed, 192.0.2.9") == 401


@pytest.mark.parametrize(
    ("scope", "submits", "yanks"),
    [
        ("read", 403, 403),
        ("submit", 201, 403),
        ("yank", 403, 404),
        ("submit yank", 201, 200),
        ("submit:plugin/acme-rms", 201, 403),
        ("submit:plugin/acme-other yank", 403, 404),
        ("admin", 201, 200),
    ],
)
def test_a_token_opens_what_its_scopes_say(ada, wheel_of, scope, submits, yanks):
    token = token_create(login="ada", scope=scope)
    assert submit(ada, wheel_of(), token=token).status_code == submits
    assert yank(ada, token=token).status_code == yanks


def test_a_scope_that_is_none_is_refused_by_the_database_too(ada):
    with pytest.raises(CommandError, match="scopes are of"):
        call_command("token_create", "--login", "ada", "--scope", "everything")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.update(scope="submit everything")


def test_a_revoked_token_opens_nothing_and_the_log_says_so(ada, job, capsys):
    assert yank(ada).status_code == 200
    assert ApiToken.objects.get().last_used_at is not None
    call_command("token", "list")
    listed = capsys.readouterr().out
    assert ada.token[:12] in listed
    assert "good" in listed
    assert ada.token not in listed
    call_command("token", "revoke", ada.token[:12])
    assert yank(ada).status_code == 401
    assert Entry.objects.filter(verb="token.revoked", target="local:ada").count() == 1
    call_command("token", "list")
    assert "revoked" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no token begins with"):
        call_command("token", "revoke", "dgp_nobody")


def test_processes_share_one_allowance(tmp_path):
    """Four processes on one database file ask for twelve out of a burst of five."""
    url = f"sqlite:///{tmp_path / 'hub.sqlite3'}"
    env = {**os.environ, "DOUGONG_HOME": str(tmp_path), "DOUGONG_DATABASE_URL": url}
    program = [sys.executable, "-m", "dougong_registry"]
    subprocess.run([*program, "migrate", "-v", "0"], env=env, check=True)
    code = (
        "from dougong_registry.requests.rates import TooOften, rate_take\n"
        "for _ in range(3):\n"
        "    try:\n"
        "        rate_take(rate='plugin', sender='local:ada')\n"
        "        print('taken')\n"
        "    except TooOften:\n"
        "        print('refused')\n"
    )

    def process(_):
        done = subprocess.run(
            [*program, "shell", "--no-imports", "-c", code],
            env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.split()

    with ThreadPoolExecutor(4) as pool:
        said = [word for words in pool.map(process, range(4)) for word in words]
    assert (said.count("taken"), said.count("refused")) == (5, 7)
