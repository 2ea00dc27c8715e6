"""The index, asked by plain pip and uv and by its rules."""

from __future__ import annotations

import email
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact, Plugin

pytestmark = [
    # The live server starts before a test can name a static folder; no page is asked for.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]

JSON = "application/vnd.pypi.simple.v1+json"


def files(client: Client, name: str = "acme-rms") -> list[dict]:
    return client.get(f"/simple/{name}/", headers={"Accept": JSON}).json()["files"]


def pip(*arguments: str, hub: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "download"]
    options = ["--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--dest", str(folder)]
    return subprocess.run(
        [*command, *options, "--index-url", f"{hub}/simple/", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PIP_CONFIG_FILE": "/dev/null"},
    )


def uv(*arguments: str, hub: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--no-cache"]
    where = ["--target", str(folder), "--python", sys.executable]
    return subprocess.run(
        [*command, *where, "--default-index", f"{hub}/simple/", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "UV_NO_CONFIG": "1"},
    )


class TestPip:
    def test_downloads_the_newest_and_checks_its_hash(self, publish, live_server, tmp_path):
        publish("1.0")
        publish("1.1")
        done = pip("acme-rms", hub=live_server.url, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        (wheel,) = tmp_path.glob("*.whl")
        assert wheel.name == "acme_rms-1.1-py3-none-any.whl"
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert Artifact.objects.get(filename=wheel.name).sha256 == digest

    def test_refuses_bytes_that_changed_in_the_store(self, publish, live_server, tmp_path):
        publish("1.0")
        path = store.path_of(Artifact.objects.get().sha256)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        done = pip("acme-rms", hub=live_server.url, folder=tmp_path)
        assert done.returncode != 0
        assert "HASH" in done.stderr.upper()
        assert not list(tmp_path.glob("*.whl"))

    def test_passes_a_yanked_version_over_unless_it_is_pinned(
        self, publish, ada, live_server, tmp_path
    ):
        publish("1.0")
        publish("1.1")
        assert yank(ada, "1.1", "wrong for odd sizes").status_code == 200
        done = pip("acme-rms", hub=live_server.url, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert [each.name for each in tmp_path.glob("*.whl")] == ["acme_rms-1.0-py3-none-any.whl"]
        pinned = pip("acme-rms==1.1", hub=live_server.url, folder=tmp_path)
        assert pinned.returncode == 0, pinned.stderr
        assert "wrong for odd sizes" in pinned.stderr + pinned.stdout


class TestUv:
    def test_installs_passes_yanked_over_and_checks_hashes(
        self, publish, ada, live_server, tmp_path
    ):
        publish("1.0")
        publish("1.1")
        yank(ada, "1.1", "wrong for odd sizes")
        done = uv("acme-rms", hub=live_server.url, folder=tmp_path / "newest")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "newest" / "acme_rms-1.0.dist-info").is_dir()
        done = uv("acme-rms==1.1", hub=live_server.url, folder=tmp_path / "pinned")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "pinned" / "acme_rms-1.1.dist-info").is_dir()
        path = store.path_of(Artifact.objects.get(filename__contains="1.0").sha256)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        done = uv("acme-rms==1.0", hub=live_server.url, folder=tmp_path / "changed")
        assert done.returncode != 0
        assert "CRC" in done.stderr

    def test_refuses_another_wheel_in_its_place(self, publish, wheel_of, live_server, tmp_path):
        publish("1.0")
        artifact = Artifact.objects.get()
        other = wheel_of(version="1.0", **{"acme_rms.py": "def rms(x): return 0 * x\n"})
        store.path_of(artifact.sha256).write_bytes(other)
        pinned = tmp_path / "requirements.txt"
        pinned.write_text(f"acme-rms==1.0 --hash=sha256:{artifact.sha256}\n")
        for arguments in (["acme-rms==1.0"], ["--require-hashes", "-r", str(pinned)]):
            done = uv(*arguments, hub=live_server.url, folder=tmp_path / "changed")
            assert done.returncode != 0
            assert "hash mismatch" in done.stderr.lower()


def yank(submitter, version: str, reason: str, verb: str = "yank"):
    return submitter.client.post(
        f"/api/v1/plugins/acme-rms/releases/{version}/{verb}",
        json.dumps({"reason": reason}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {submitter.token}"},
    )


class TestWhatIsOffered:
    def test_only_what_passed(self, publish, client):
        publish("1.0", outcome="failed", code="REJECTED_ACCURACY")
        publish("1.1", outcome="inconclusive", code="INCONCLUSIVE_NOISE")
        assert client.get("/simple/acme-rms/").status_code == 404
        assert b"acme-rms" not in client.get("/simple/").content
        publish("1.2")
        assert [each["filename"] for each in files(client)] == ["acme_rms-1.2-py3-none-any.whl"]
        assert b"acme-rms" in client.get("/simple/").content

    def test_nothing_that_is_still_being_judged(self, ada, client):
        ada.submit()
        assert client.get("/simple/acme-rms/").status_code == 404
        sha256 = Artifact.objects.get().sha256
        assert client.get(f"/files/{sha256}/acme_rms-1.0-py3-none-any.whl").status_code == 404

    def test_nothing_of_a_quarantined_plugin(self, publish, client):
        publish("1.0")
        Plugin.objects.update(status="quarantined", status_reason="steals tokens")
        answer = client.get("/simple/acme-rms/", headers={"Accept": JSON}).json()
        assert answer["files"] == []
        assert answer["project-status"] == {"status": "quarantined", "reason": "steals tokens"}


class TestAnswers:
    def test_json_has_what_the_standards_ask(self, publish, client):
        publish("1.0")
        answer = client.get("/simple/acme-rms/", headers={"Accept": JSON})
        assert answer["Content-Type"] == JSON
        assert "Accept" in answer["Vary"]
        body = answer.json()
        assert (body["name"], body["versions"]) == ("acme-rms", ["1.0"])
        assert body["meta"]["api-version"] == "1.4"
        (file,) = body["files"]
        artifact = Artifact.objects.get()
        assert file["hashes"] == {"sha256": artifact.sha256}
        assert file["size"] == artifact.size_bytes
        assert file["yanked"] is False
        assert file["upload-time"].endswith("Z")

    def test_metadata_is_served_alone_under_its_own_hash(self, publish, client):
        publish("1.0")
        (file,) = files(client)
        answer = client.get(file["url"] + ".metadata")
        assert hashlib.sha256(answer.content).hexdigest() == file["core-metadata"]["sha256"]
        assert email.message_from_bytes(answer.content)["Name"] == "acme-rms"
        assert "immutable" in answer["Cache-Control"]

    def test_html_says_the_same(self, publish, ada, client):
        publish("1.0")
        yank(ada, "1.0", "<b>no</b>")
        page = client.get("/simple/acme-rms/").content.decode()
        (file,) = files(client)
        assert f"{file['url']}#sha256={file['hashes']['sha256']}" in page
        assert 'data-yanked="&lt;b&gt;no&lt;/b&gt;"' in page
        assert f'data-core-metadata="sha256={file["core-metadata"]["sha256"]}"' in page

    @pytest.mark.parametrize("spelt", ["Acme.RMS/", "acme_rms/", "acme-rms"])
    def test_other_spellings_lead_to_the_one_name(self, publish, client, spelt):
        publish("1.0")
        answer = client.get(f"/simple/{spelt}")
        assert (answer.status_code, answer["Location"]) == (302, "/simple/acme-rms/")

    def test_a_type_nobody_speaks_is_refused_with_those_it_speaks(self, publish, client):
        answer = client.get("/simple/", headers={"Accept": "application/xml"})
        assert answer.status_code == 406
        assert JSON in answer.content.decode()

    def test_unchanged_is_not_sent_again(self, publish, client):
        publish("1.0")
        first = client.get("/simple/acme-rms/")
        again = client.get("/simple/acme-rms/", headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304


class TestYank:
    def test_a_reason_is_needed_and_kept(self, publish, ada, client):
        publish("1.0")
        assert yank(ada, "1.0", "").status_code == 400
        answer = yank(ada, "1.0", "wrong for odd sizes")
        assert answer.json()["yanked_reason"] == "wrong for odd sizes"
        assert files(client)[0]["yanked"] == "wrong for odd sizes"

    def test_it_can_be_put_back(self, publish, ada, client):
        publish("1.0")
        yank(ada, "1.0", "a mistake")
        assert yank(ada, "1.0", "", "unyank").json()["yanked_at"] is None
        assert files(client)[0]["yanked"] is False

    def test_only_its_owner_may(self, publish, another_submitter, client):
        publish("1.0")
        answer = yank(another_submitter("eve"), "1.0", "mine now")
        assert answer.status_code == 403
        assert files(client)[0]["yanked"] is False

    def test_what_is_not_there_cannot_be_yanked(self, publish, ada):
        publish("1.0")
        assert yank(ada, "9.9", "gone").status_code == 404
