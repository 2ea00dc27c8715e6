"""A forge with its repository, and a hub that serves it: real processes, git and HTTP."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pull_request.transcript import FailedError

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRET = "known to the forge and the hub"  # noqa: S105 - of a forge that lasts a minute
READY_S = 90.0


def fake_forge() -> ModuleType:
    """Return the module of the tests' own server, which answers as GitHub does."""
    path = ROOT / "tests/registry/forge/fake.py"
    spec = importlib.util.spec_from_file_location("fake_forge", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Forge:
    """A repository on a forge: its git remote, its pull requests, its messages to the hub."""

    def __init__(self, folder: Path) -> None:
        fake = fake_forge()
        self.app, self.server = fake.APP, fake.Forge()
        self.upstream, self.fork = folder / "upstream.git", folder / "ada.git"
        for source, target in ((ROOT, self.upstream), (self.upstream, self.fork)):
            git("clone", "--quiet", "--bare", "--no-tags", source, target, cwd=folder)
        branch = git("symbolic-ref", "--short", "HEAD", cwd=self.upstream)
        if branch != "main":  # a checkout of one commit has no name for it
            git("branch", "--force", "main", "HEAD", cwd=self.upstream)
            git("symbolic-ref", "HEAD", "refs/heads/main", cwd=self.upstream)

    def settings(self, folder: Path, people: str) -> dict[str, str]:
        """Return what a hub must be told to serve it."""
        key, persons = folder / "app.pem", folder / "people.toml"
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        persons.write_text(people)
        values = {
            "REPOSITORY": "acme/dougong",
            "REPOSITORY_ID": self.server.repository_id,
            "APP_ID": self.app,
            "INSTALLATION_ID": 1,
            "PRIVATE_KEY": key,
            "WEBHOOK_SECRET": SECRET,
            "PEOPLE": persons,
            "API_URL": self.server.url,
            "GIT_URL": f"file://{self.upstream}",
        }
        return {f"DOUGONG_FORGE_{name}": str(value) for name, value in values.items()}

    def open(self, number: int, branch: str, *, author: int, login: str) -> str:
        """Open a pull request of a branch of the fork; return its head."""
        ref = f"refs/pull/{number}/head"
        git("fetch", "--quiet", self.fork, f"{branch}:{ref}", cwd=self.upstream)
        head = git("rev-parse", ref, cwd=self.upstream)
        base = git("rev-parse", "main", cwd=self.upstream)
        self.server.open(number, head, base, author=author, login=login)
        return head

    def deliver(self, hub: Hub, event: str, message: Mapping[str, Any]) -> str:
        """Sign a message, post it, and return what the hub answered."""
        data = json.dumps(message).encode()
        signature = hmac.new(SECRET.encode(), data, hashlib.sha256).hexdigest()
        request = urllib.request.Request(  # noqa: S310 - the hub's own address
            f"{hub.url}/api/v1/forge/deliveries",
            data,
            {
                "Content-Type": "application/json",
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": str(uuid.uuid4()),
                "X-Hub-Signature-256": f"sha256={signature}",
            },
        )
        with OPENER.open(request, timeout=30) as answer:
            return f"{event}.{message['action']}: {answer.status} {answer.read().decode()}"

    def checks(self, sha: str) -> dict[str, str]:
        """Return what the check runs of a commit say, by name."""
        runs = [run for run in self.server.checks.values() if run["head_sha"] == sha]
        return {run["name"]: run.get("conclusion") or run["status"] for run in runs}

    def shown(self, sha: str) -> str:
        """Return the check runs of a commit as the forge shows them."""
        runs = [run for run in self.server.checks.values() if run["head_sha"] == sha]
        rows = {run["name"]: run for run in runs}
        return "\n".join(
            f"{name:22} {run.get('conclusion') or run['status']:16} {run['output']['title']}"
            for name, run in rows.items()
        )

    def summary(self, number: int) -> str:
        """Return the hub's one comment."""
        (body,) = (
            each["body"]
            for each in self.server.comments[number]
            if each["performed_via_github_app"]
        )
        return str(body)


class Hub:
    """`dougong up` that serves a forge."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.home = home
        self._log = home.with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [BIN / "dougong", "up", "--home", home, "--port", "0", "--json"],
                env={**os.environ, **env, "DOUGONG_BROKER_URL": ""},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._lines: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._ready()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(json.loads(line))

    def _ready(self) -> str:
        def found() -> str:
            lines = (line["url"] for line in list(self._lines) if line["event"] == "ready")
            if self._process.poll() is not None:
                raise FailedError(f"the hub ended: {self._log.read_text()[-3000:]}")
            return next(lines, "")

        return str(wait_for(found, "the hub is ready", limit_s=READY_S))

    def get(self, path: str) -> str:
        """Return a page."""
        with OPENER.open(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def end(self) -> None:
        """Stop all of it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_for(condition: Callable[[], Any], what: str, *, limit_s: float) -> Any:
    """Return what a condition gives once it gives something.

    Raises:
        FailedError: it never did.
    """
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise FailedError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.1)
    return found


def git(*words: object, cwd: Path) -> str:
    """Run git where nobody watches; return what it printed."""
    done = subprocess.run(
        ["git", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FailedError(f"git {words[0]}: {done.stderr}")
    return done.stdout.strip()
