"""A forge, its git remote, and a hub that serves it; time passes when a test says so."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F, Q
from django.test import Client

from dougong_registry.forge import builds, tasks
from dougong_registry.forge.models import MOVING, Build, Head
from dougong_registry.forge.webhooks.signatures import signature_of
from dougong_registry.submissions.models import Job

HERE = Path(__file__).parent


def loaded(name: str, path: Path) -> Any:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


octokit = loaded("forge_octokit", HERE / "octokit.py")
openapi = loaded("forge_openapi", HERE / "openapi.py")
fake = loaded("forge_fake", HERE / "fake.py")
made = loaded("forge_made", HERE.parents[1] / "ci" / "intake" / "made.py")
hub_made = loaded("forge_hub_made", HERE.parent / "api" / "conftest.py")

SECRET = "it's a secret to everybody"
AUTHOR, REVIEWER, SECOND, STRANGER = 5, 11, 12, 66
PEOPLE = f"""
[[person]]
id = {REVIEWER}
role = "reviewer"
affiliation = "acme"
[[person]]
id = {SECOND}
role = "maintainer"
affiliation = "elsewhere"
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return made.Made(tmp_path_factory.mktemp("template") / "upstream")


@pytest.fixture
def upstream(template, tmp_path):
    return template.copied(tmp_path / "upstream")


def new_app_key(path: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return path


def forge_settings(forge: Any, upstream: Any, key: Path, people: Path) -> dict[str, str]:
    return {
        "REPOSITORY": "acme/dougong",
        "REPOSITORY_ID": str(forge.repository_id),
        "APP_ID": str(fake.APP),
        # Its token is kept by the client for the whole process.
        "INSTALLATION_ID": forge.url.rpartition(":")[2],
        "PRIVATE_KEY": str(key),
        "WEBHOOK_SECRET": SECRET,
        "PEOPLE": str(people),
        "API_URL": forge.url,
        "GIT_URL": f"file://{upstream.folder}",
    }


@pytest.fixture(scope="session")
def app_key(tmp_path_factory):
    return new_app_key(tmp_path_factory.mktemp("key") / "app.pem")


@pytest.fixture
def forge():
    server = fake.Forge()
    yield server
    server.close()
    try:
        known = openapi.Description(octokit.load("openapi.json"))
    except OSError:
        return  # said aloud by the tests that ask for it
    for method, path, query, body in server.asked:
        known.check(method, path, query, body)


class Hub:
    """A hub that serves the forge, met through its doors; `go` lets its queue work."""

    def __init__(self, forge: Any, upstream: Any) -> None:
        self.forge, self.upstream, self.client = forge, upstream, Client()
        self.runner = hub_made.SigningRunner("cpu-1")

    def deliver(
        self, body: Any, *, event: str = "pull_request", delivery: str = "", secret: str = SECRET
    ) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            "/api/v1/forge/deliveries",
            data,
            content_type="application/json",
            headers={
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
                "X-Hub-Signature-256": signature_of(secret, data),
            },
        )

    def propose(self, files: Any, number: int = 1, *, branch: str = "", **who: Any) -> Head:
        """Push a change, open a pull request of it or push to it, and have the forge say so."""
        head = self.upstream.commit(branch or f"pull-{number}", files)
        action = "synchronize" if number in self.forge.pulls else "opened"
        if action == "opened":
            self.forge.open(number, head, self.upstream.main, **who)
        else:
            self.forge.change(number, head={"sha": head})
        assert self.deliver(self.forge.message(number, action)).status_code == 202
        return Head.objects.get(pull__number=number, sha=head)

    def comment(self, person: int, body: str, number: int = 1) -> Any:
        said = self.forge.say(number, person, body)
        message = self.forge.comment_message(number, said)
        return self.deliver(message, event="issue_comment")

    def approve(self, *people: int, sha: str, number: int = 1, state: str = "APPROVED") -> None:
        for person in people:
            review = self.forge.review(number, person, sha, state)
            message = self.forge.message(number, "submitted", review=review)
            message["pull_request"] = {**message["pull_request"], "review_round": review["id"]}
            assert self.deliver(message, event="pull_request_review").status_code == 202

    def merge(self, number: int = 1, *, commit: str = "") -> str:
        git = self.upstream.git
        git("checkout", "--quiet", "main")
        git("merge", "--quiet", "--no-ff", "--message", "merge", f"pull-{number}")
        commit = commit or git("rev-parse", "HEAD")
        self.forge.merge(number, commit)
        assert self.deliver(self.forge.message(number, "closed")).status_code == 202
        return commit

    def go(self) -> None:
        """Let the queue work until nothing moves by itself."""
        before: list[Any] = [()]
        for _ in range(6):
            heads = Head.objects.filter(Q(state__in=MOVING) | Q(told__lt=F("changes")))
            for pk in heads.order_by("pk").values_list("pk", flat=True):
                tasks.advance(pk)
            after = list(Head.objects.order_by("pk").values_list("state", "changes", "told"))
            if after == before:
                return
            before = after
        raise AssertionError(f"it does not come to rest: {before}")

    def build(self, *, outcome: str = "done", reason: str = "", data: bytes = b"") -> Build:
        """Answer the open build as a worker would, with a wheel that its sources determine."""
        build = Build.objects.select_related("head").get(state="queued")
        sources = hashlib.sha256(builds.sources_of(build.tree).read_bytes()).hexdigest()
        name, version = build.head.plugin, self.version(build.head)
        wheel = data or hub_made.wheel_bytes(name, version, **{"sources.txt": sources})
        body = {"nonce": build.nonce, "outcome": outcome, "reason": reason}
        if outcome == "done":
            body["filename"] = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            body["wheel"] = hub_made.base64.b64encode(wheel).decode()
        answer = self.runner.post(f"/api/v1/builds/{build.pk}/complete", body)
        assert answer.status_code == 200, answer.content
        build.refresh_from_db()
        return build

    def version(self, head: Head) -> str:
        text = self.upstream.git("show", f"{head.sha}:contrib/{head.plugin}/pyproject.toml")
        return text.split('version = "')[1].split('"')[0]

    def judge(self, head: Head, name: str = "acme/rms", **values: Any) -> None:
        """Judge the submission of a head as a runner would."""
        head.refresh_from_db()
        job = Job.objects.get(submission=head.submission, retry=0)
        assert self.runner.claim(job).status_code == 200
        assert self.runner.discover(job, name).status_code == 200
        answer = self.runner.send(job, self.verdict(job, name, head, **values))
        assert answer.status_code == 201, answer.content
        assert self.runner.complete(job).status_code == 200

    def verdict(self, job: Job, name: str, head: Head, **values: Any) -> Any:
        """What a judge would say of an operator of a head's release."""
        verdict = hub_made.verdict_of(job, name, **values)
        release = head.submission.release
        verdict.subject.distribution = release.plugin.name
        verdict.subject.version = release.version
        return verdict

    def to_review(self, files: Any = None, number: int = 1, **who: Any) -> Head:
        """Take a pull request as far as its review."""
        head = self.propose(files or made.plugin(), number, **who)
        self.go()
        self.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}", number)
        self.go()
        self.build()
        self.go()
        self.judge(head)
        self.go()
        head.refresh_from_db()
        return head

    def check(self, head: Head, step: str) -> dict[str, Any]:
        """The newest check run of a step, as the forge shows it."""
        runs = [
            run
            for run in self.forge.checks.values()
            if run["head_sha"] == head.sha and run["name"] == f"dougong / {step}"
        ]
        return runs[-1]

    def summary(self, number: int = 1) -> str:
        (body,) = (
            each["body"]
            for each in self.forge.comments[number]
            if each["body"].startswith("<!-- dougong -->") and each["performed_via_github_app"]
        )
        return body


@pytest.fixture(autouse=True)
def folder(settings, tmp_path, db):
    settings.DOUGONG_HOME = tmp_path / "home"
    settings.STATIC_ROOT = settings.DOUGONG_HOME / "static"
    settings.STATIC_ROOT.mkdir(parents=True)


@pytest.fixture
def config(settings, forge, upstream, app_key, tmp_path):
    people = tmp_path / "people.toml"
    people.write_text(PEOPLE)
    settings.FORGE = forge_settings(forge, upstream, app_key, people)


@pytest.fixture
def hub(config, forge, upstream):
    return Hub(forge, upstream)


@pytest.fixture
def plugin():
    return made.plugin


@pytest.fixture
def project():
    return made.project


@pytest.fixture
def release():
    return made.release
