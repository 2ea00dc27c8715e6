"""What is sent is cut off at the limit while it arrives, and a full disk is said and left clean."""

from __future__ import annotations

import errno
import http.client
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact

pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")
BOUNDARY = "simple-boundary"


def left() -> list[Path]:
    return [path for path in store.root().rglob("*") if path.is_file()]


def test_the_limit_holds_before_the_end_of_the_upload(ada, live_server, settings, tmp_path):
    settings.WHEEL_MAX_BYTES = 100_000
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "uploads")
    (tmp_path / "uploads").mkdir()
    where = urlsplit(live_server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="wheel"; filename="a.whl"\r\n\r\n'
    ).encode()
    promised = 50_000_000
    connection.putrequest("POST", "/api/v1/submissions")
    connection.putheader("Authorization", f"Bearer {ada.token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(promised))
    connection.endheaders(head)
    # Not half a megabyte of the fifty that were promised: the answer comes without the rest.
    for _ in range(8):
        try:
            connection.send(b"x" * 64_000)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            break
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 413, body
    assert b"100000 bytes at most" in body
    assert left() == []
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["fsync", "mkstemp"])
def test_a_full_disk_is_said_and_nothing_is_left(ada, monkeypatch, error, step):
    def no_room(*args, **kwargs):
        raise OSError(error, os.strerror(error))

    target = store.os if step == "fsync" else store.tempfile
    monkeypatch.setattr(target, step, no_room)
    answer = ada.submit()
    assert answer.status_code == 507
    assert answer["Content-Type"] == "application/problem+json"
    assert "disk is full; nothing was kept" in answer.json()["detail"]
    monkeypatch.undo()
    assert left() == []
    assert not Artifact.objects.exists()
    assert ada.submit().status_code == 201
