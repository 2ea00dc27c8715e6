"""`resolve`, advisories and the feed, over HTTP."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from dougong_registry.advisories.models import Advisory, Revocation
from dougong_registry.audit.models import Entry
from dougong_registry.plugins.models import Artifact, Plugin, Release
from dougong_registry.submissions.models import Job

JSON = "application/vnd.pypi.simple.v1+json"


def resolve(client, **query):
    answer = client.get("/api/v1/resolve", {"name": "acme-rms", **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def advise(*more: str, versions: str = "==1.1", plugin: str = "acme-rms") -> str:
    call_command(
        "advisory", "publish", plugin, "--versions", versions, "--kind", "malware",
        "--severity", "critical", "--summary", "sends keys away", *more,
    )  # fmt: skip
    return Advisory.objects.latest("pk").number


class TestResolve:
    def test_gives_the_artifact_and_what_speaks_for_it(self, publish, client):
        publish("1.0")
        publish("1.1")
        found = resolve(client, device="cpu", dtype="float32")
        release = found["release"]
        artifact = Artifact.objects.get(sha256=release["sha256"])
        assert (release["version"], release["size_bytes"]) == ("1.1", artifact.size_bytes)
        assert release["publisher_login"] == "ada"
        (evidence,) = found["evidence"]
        assert (evidence["operator"], evidence["outcome"]) == ("acme/rms", "passed")
        assert evidence["dtypes"] == ["float32"]
        assert evidence["speeds"][0]["ci_low"] > 1
        path = release["url"].partition("/files/")[2]
        body = b"".join(client.get(f"/files/{path}").streaming_content)
        assert hashlib.sha256(body).hexdigest() == release["sha256"]

    def test_accuracy_without_a_speed_is_measured_too(
        self, ada, runner, wheel_of, client, verdict_of
    ):
        sent = ada.submit(wheel_of(version="1.0")).json()
        job = Job.objects.get(submission_id=sent["id"])
        runner.claim(job)
        runner.discover(job)
        verdict = verdict_of(job)
        verdict.accuracy.append(dataclasses.replace(verdict.accuracy[0], dtype="bfloat16"))
        assert runner.send(job, verdict).status_code == 201
        assert runner.complete(job).status_code == 200
        assert resolve(client, dtype="bfloat16")["evidence"][0]["dtypes"] == ["bfloat16", "float32"]
        assert resolve(client, dtype="float16")["release"] is None

    def test_a_version_is_found_however_it_is_spelt(self, publish, client):
        publish("1.0")
        assert resolve(client, version="1.0.0")["release"]["version"] == "1.0"

    def test_an_operator_leads_to_its_plugin(self, publish, client):
        publish("1.0")
        assert resolve(client, name="acme/rms")["release"]["distribution"] == "acme-rms"

    def test_measured_on_the_device_is_what_counts(self, publish, client):
        publish("1.0")
        found = resolve(client, device="cuda", dtype="float32")
        assert found["release"] is None
        assert found["passed_over"][0]["code"] == "undeclared_device"

    def test_too_young_is_said(self, publish, client, aged):
        publish("1.0")
        assert resolve(client, min_age_s=60)["passed_over"][0]["code"] == "too_young"
        aged(Release.objects.all(), published_at=timezone.now() - dt.timedelta(seconds=61))
        assert resolve(client, min_age_s=60)["release"]["version"] == "1.0"

    def test_quarantined_gives_nothing(self, publish, client):
        publish("1.0")
        Plugin.objects.update(status="quarantined", status_reason="looked at")
        found = resolve(client, version="1.0")
        assert (found["release"], found["passed_over"][0]["code"]) == (None, "quarantined")

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"name": "nobody"}, 404),
            ({"name": "acme/nobody"}, 404),
            ({"name": "acme-rms", "version": "9"}, 404),
            ({"name": "acme-rms", "version": "not one"}, 400),
            ({"name": "acme-rms", "min_age_s": -1}, 400),
            ({}, 400),
        ],
    )
    def test_refusals(self, publish, client, query, status):
        publish("1.0")
        answer = client.get("/api/v1/resolve", query)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"


class TestRevocation:
    def test_what_is_revoked_is_offered_nowhere(self, publish, client):
        publish("1.0")
        publish("1.1")
        number = advise("--revoke")
        found = resolve(client)
        assert found["release"]["version"] == "1.0"
        assert found["passed_over"][0]["reason"] == f"revoked by {number}: sends keys away"
        assert resolve(client, version="1.1")["release"] is None
        page = client.get("/simple/acme-rms/", headers={"Accept": JSON}).json()
        assert page["versions"] == ["1.0"]
        artifact = Artifact.objects.get(filename__contains="1.1")
        answer = client.get(f"/files/{artifact.sha256}/{artifact.filename}")
        assert answer.status_code == 410
        assert number in answer.content.decode()

    def test_the_feed_is_signed_and_chained(self, publish, client):
        publish("1.0")
        publish("1.1")
        advise("--revoke", versions="*")
        (key,) = client.get("/.well-known/dougong-hub.json").json()["keys"]
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))
        feed = client.get("/api/v1/revocations").json()
        assert feed["head"] == 2
        previous = "0" * 64
        for seq, line in enumerate(feed["entries"], start=1):
            public.verify(base64.b64decode(line["signature"]), line["payload"].encode())
            payload = json.loads(line["payload"])
            assert (payload["seq"], payload["previous"]) == (seq, previous)
            previous = hashlib.sha256(line["payload"].encode()).hexdigest()
        rest = client.get("/api/v1/revocations", {"since": 1}).json()
        assert [line["seq"] for line in rest["entries"]] == [2]

    def test_withdrawing_restores_unless_another_advisory_stands(self, publish, client):
        publish("1.1")
        first, second = advise("--revoke"), advise("--revoke")
        call_command("advisory", "withdraw", first, "--reason", "a mistake")
        assert resolve(client)["release"] is None
        call_command("advisory", "withdraw", second, "--reason", "a mistake")
        assert resolve(client)["release"]["version"] == "1.1"
        actions = [json.loads(row.payload)["action"] for row in Revocation.objects.order_by("seq")]
        assert actions == ["revoked", "revoked", "restored", "restored"]

    def test_the_database_keeps_the_feed(self, publish):
        publish("1.1")
        advise("--revoke")
        for act in (
            lambda: Revocation.objects.update(action="restored"),
            lambda: Revocation.objects.all().delete(),
            lambda: Advisory.objects.update(summary="nothing"),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                act()


class TestAdvisories:
    def test_osv_says_which_versions_and_why(self, publish, client):
        publish("1.0")
        publish("1.1")
        number = advise(versions=">=1.1")
        (found,) = client.get("/api/v1/advisories", {"plugin": "acme-rms"}).json()["results"]
        assert found == client.get(f"/api/v1/advisories/{number}").json()
        assert found["affected"][0]["versions"] == ["1.1"]
        assert found["database_specific"]["revoked"] is False
        assert resolve(client)["release"]["version"] == "1.1"
        call_command("advisory", "withdraw", number, "--reason", "a mistake")
        assert client.get(f"/api/v1/advisories/{number}").json()["withdrawn"]
        verbs = Entry.objects.filter(target__startswith=number).values_list("verb", flat=True)
        assert list(verbs.order_by("seq")) == ["advisory.published", "advisory.withdrawn"]

    def test_numbers_count_up(self, publish):
        publish("1.1")
        year = timezone.now().year
        assert [advise(), advise()] == [f"DGSA-{year}-0001", f"DGSA-{year}-0002"]

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"plugin": "nobody"}, "no plugin nobody"),
            ({"versions": "==9"}, "no release of acme-rms is in ==9"),
            ({"versions": "one"}, "must be a range"),
        ],
    )
    def test_refusals_name_the_way_out(self, publish, given, words):
        publish("1.1")
        with pytest.raises(CommandError, match=words):
            advise(**given)
