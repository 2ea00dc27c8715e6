"""The second home: real `huggingface_hub` against a server that speaks its protocol."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Missing, Refused, Unavailable
from dougong_registry.storage.huggingface import HuggingFaceStore
from dougong_registry.storage.local import LocalStore
from dougong_registry.storage.models import Location
from dougong_registry.storage.place import Place

_SPEC = importlib.util.spec_from_file_location(
    "huggingface_server", Path(__file__).with_name("huggingface_server.py")
)
huggingface_server = importlib.util.module_from_spec(_SPEC)
sys.modules["huggingface_server"] = huggingface_server
_SPEC.loader.exec_module(huggingface_server)

pytest.importorskip("huggingface_hub")
# The client's own way of calling its HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def repository(settings, monkeypatch, tmp_path):
    """A dataset on a server of the test's own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    repository = huggingface_server.Repository()
    server = huggingface_server.serve(repository)
    settings.DOUGONG_HF_REPO = huggingface_server.REPO
    settings.HF_ENDPOINT = f"http://127.0.0.1:{server.server_port}"
    yield repository
    server.shutdown()
    server.server_close()


def flip(repository, commit: str) -> None:
    """Change one byte of every file in a commit, as only the server's operator could."""
    tree = repository.commits[commit]
    for path, data in tree.items():
        tree[path] = data[:50] + bytes([data[50] ^ 1]) + data[51:]


def url(artifact: Artifact) -> str:
    return f"/files/{artifact.sha256}/{artifact.filename}"


class TestMirror:
    def test_copies_what_has_no_copy_and_remembers_the_commit(self, publish, repository, capsys):
        publish("1.0")
        publish("1.1")
        call_command("mirror")
        commit = repository.refs["main"]
        last = Location.objects.latest("pk")
        assert (
            last.uri
            == f"hf://datasets/acme/artifacts@{commit}/artifacts/{last.artifact.sha256[:2]}/{last.artifact.sha256}"
        )
        assert Location.objects.count() == 2
        call_command("mirror")
        assert repository.refs["main"] == commit

    def test_lost_bytes_come_back_and_are_kept(self, publish, repository, client):
        publish("1.0")
        call_command("mirror")
        artifact = Artifact.objects.get()
        path = store.path_of(artifact.sha256)
        data = path.read_bytes()
        path.unlink()
        assert b"".join(client.get(url(artifact)).streaming_content) == data
        assert path.read_bytes() == data

    def test_a_byte_flipped_there_is_refused_with_the_reason(self, publish, repository, client):
        publish("1.0")
        call_command("mirror")
        artifact = Artifact.objects.get()
        store.path_of(artifact.sha256).unlink()
        flip(repository, repository.refs["main"])
        answer = client.get(url(artifact))
        assert answer.status_code == 503
        assert "it was changed, and is not used" in answer.content.decode()
        api = client.get(f"/api/v1/artifacts/{artifact.sha256}")
        assert (api.status_code, api.json()["title"]) == (503, "Not available now")
        assert not store.path_of(artifact.sha256).exists()
        assert list((store.root() / "incoming").iterdir()) == []

    def test_a_branch_that_is_moved_does_not_matter(self, publish, repository, client):
        publish("1.0")
        call_command("mirror")
        artifact = Artifact.objects.get()
        store.path_of(artifact.sha256).unlink()
        (name,) = repository.commits[repository.refs["main"]]
        data = repository.commits[repository.refs["main"]][name]
        repository.refs["main"] = repository.commit({name: b"something else"})
        assert b"".join(client.get(url(artifact)).streaming_content) == data

    def test_what_is_not_read_back_as_it_was_does_not_count(self, publish, repository, monkeypatch):
        publish("1.0")
        commit = repository.commit

        def spoiling(changes, *, parent=""):
            return commit({path: data[:-1] + b"x" for path, data in changes.items()}, parent=parent)

        repository.commit = spoiling
        with pytest.raises(CommandError, match="it was changed"):
            call_command("mirror")
        assert not Location.objects.exists()

    def test_a_commit_in_between_is_refused_and_nothing_counts(self, publish, repository):
        publish("1.0")

        def somebody_else():
            repository.refs["main"] = repository.commit({"theirs": b"bytes"})

        repository.meanwhile = somebody_else
        with pytest.raises(CommandError, match="branch has moved"):
            call_command("mirror")
        assert not Location.objects.exists()

    def test_a_hub_that_is_down_is_said(self, publish, repository, settings):
        publish("1.0")
        settings.HF_ENDPOINT = "http://127.0.0.1:9"
        with pytest.raises(CommandError, match=r"at http://127\.0\.0\.1:9 did not do it"):
            call_command("mirror")

    def test_without_a_second_home_it_says_how_to_set_one(self, publish, settings):
        publish("1.0")
        settings.DOUGONG_HF_REPO = ""
        with pytest.raises(CommandError, match="set DOUGONG_HF_REPO"):
            call_command("mirror")

    def test_without_a_copy_the_bytes_are_gone(self, publish, client):
        publish("1.0")
        artifact = Artifact.objects.get()
        store.path_of(artifact.sha256).unlink()
        assert client.get(url(artifact)).status_code == 404


class TestPlace:
    @pytest.mark.parametrize("ref", ["main", "v1.0", "refs", "a" * 39, "A" * 40, ""])
    def test_what_may_be_moved_is_no_place(self, ref):
        uri = f"hf://datasets/acme/artifacts@{ref}/file"
        with pytest.raises(Refused, match="only a commit of 40"):
            Place.parse(uri)
        store_ = HuggingFaceStore(repo="acme/artifacts", endpoint="http://127.0.0.1:9")
        with pytest.raises(Refused):
            next(store_.read(uri))

    def test_the_database_refuses_it_too(self, publish):
        publish("1.0")
        uri = "hf://datasets/acme/artifacts@main/file"
        with pytest.raises(IntegrityError), transaction.atomic():
            Location.objects.create(artifact=Artifact.objects.get(), uri=uri)


class TestLocal:
    def test_the_disk_is_a_store_like_any_other(self, publish, tmp_path):
        publish("1.0")
        artifact = Artifact.objects.get()
        data = store.path_of(artifact.sha256).read_bytes()
        store.path_of(artifact.sha256).unlink()
        copy = tmp_path / "copy"
        copy.write_bytes(data)
        home = LocalStore()
        uri = home.put(copy, artifact.sha256)
        assert b"".join(home.read(uri)) == data
        with pytest.raises(Unavailable):
            home.put(copy, "0" * 64)
        with pytest.raises(Missing):
            next(home.read("cas://" + "0" * 64))
