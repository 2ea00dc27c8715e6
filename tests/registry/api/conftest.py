"""A hub met over HTTP only: wheels made here, a submitter's token, a runner that signs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from dougong_ci.report import signing
from dougong_registry.people.services import token_create
from dougong_registry.runs.services import runner_register
from dougong_registry.submissions.models import Job


def recorded(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    return f"sha256={digest.decode()},{len(text.encode())}"


def wheel_bytes(
    name: str = "acme-rms", version: str = "1.0", *, leave_out: str = "", **files: str
) -> bytes:
    stem = f"{name.replace('-', '_')}-{version}"
    contents = {
        f"{name.replace('-', '_')}.py": "def rms(x): return x\n",
        f"{stem}.dist-info/METADATA": (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
        ),
        f"{stem}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{stem}.dist-info/entry_points.txt": f"[dougong]\n{name} = {name.replace('-', '_')}\n",
        **files,
    }
    rows = [f"{path},{recorded(text)}" for path, text in contents.items()]
    contents[f"{stem}.dist-info/RECORD"] = "\n".join([*rows, f"{stem}.dist-info/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in contents.items():
            if not leave_out or not path.endswith(leave_out):
                archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


class Submitter:
    """Somebody with a token."""

    def __init__(self, login: str) -> None:
        self.client = Client()
        self.token = token_create(login=login)

    def submit(
        self, data: bytes | None = None, filename: str = "acme_rms-1.0-py3-none-any.whl"
    ) -> HttpResponse:
        upload = SimpleUploadedFile(filename, wheel_bytes() if data is None else data)
        return self.client.post(
            "/api/v1/submissions",
            {"wheel": upload},
            headers={"Authorization": f"Bearer {self.token}"},
        )


class SigningRunner:
    """A worker's end of the API, with a key of its own."""

    def __init__(self, name: str, *, known: bool = True) -> None:
        self.client = Client()
        self.private, self.public = signing.generate()
        if known:
            runner_register(name=name, public_key=self.public, official=True)

    def post(self, path: str, body: dict[str, Any], **changed: str) -> HttpResponse:
        data = json.dumps(body).encode()
        signed = signing.request_headers("POST", path, int(time.time()), data, self.private)
        headers = {**signed, **changed}
        return self.client.post(path, data, content_type="application/json", headers=headers)

    def claim(self, job: Job) -> HttpResponse:
        return self.post(f"/api/v1/jobs/{job.pk}/claim", {"nonce": job.nonce})

    def tell(self, job: Job, *events: dict[str, Any]) -> HttpResponse:
        body = {"nonce": job.nonce, "events": list(events)}
        return self.post(f"/api/v1/jobs/{job.pk}/events", body)

    def complete(self, job: Job, outcome: str = "judged", reason: str = "") -> HttpResponse:
        body = {"nonce": job.nonce, "outcome": outcome, "reason": reason}
        return self.post(f"/api/v1/jobs/{job.pk}/complete", body)

    def record(self, job: Job, envelope: dict[str, Any]) -> HttpResponse:
        body = {"nonce": job.nonce, "envelope": envelope}
        return self.post(f"/api/v1/jobs/{job.pk}/runs", body)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path, db):
    """Artifacts in a folder of the test's own; there is no broker."""
    settings.DOUGONG_HOME = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    return tmp_path


@pytest.fixture
def ada() -> Submitter:
    return Submitter("ada")


@pytest.fixture
def runner() -> SigningRunner:
    return SigningRunner("cpu-1")


@pytest.fixture
def job(ada: Submitter) -> Job:
    submission = ada.submit().json()["id"]
    return Job.objects.get(submission_id=submission)


@pytest.fixture
def wheel_of():
    return wheel_bytes


@pytest.fixture
def another_submitter() -> type[Submitter]:
    return Submitter


@pytest.fixture
def another_runner() -> type[SigningRunner]:
    return SigningRunner
