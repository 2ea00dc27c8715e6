"""The worker's end, with a real sandbox: sources from the hub, the same bytes each time."""

from __future__ import annotations

from typing import Any

import pytest

from dougong_registry.forge.models import Build
from dougong_registry.runs.services import runner_register

REVIEWER = 11
pytestmark = [
    pytest.mark.django_db(transaction=True),
    # The live server starts before a test can name a static folder; no page is asked for.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]


@pytest.fixture
def worker(live_server, tmp_path, monkeypatch):
    from dougong_ci.report import signing
    from dougong_ci.worker.build import perform

    private, public = signing.generate()
    (tmp_path / "runner.pem").write_text(private)
    monkeypatch.setenv("DOUGONG_RUNNER_KEY", str(tmp_path / "runner.pem"))
    runner_register(name="builder", public_key=public, official=True)

    def work() -> Build:
        build = Build.objects.get(state="queued")
        perform(build.pk, build.nonce, live_server.url)
        build.refresh_from_db()
        return build

    return work


def to_build(hub: Any, files: dict[str, str]) -> Any:
    head = hub.propose(files)
    hub.go()
    hub.comment(REVIEWER, f"/dougong unblock {head.sha}")
    hub.go()
    head.refresh_from_db()
    assert head.state == "building"
    return head


def test_a_real_build_becomes_a_submission_and_is_the_same_again(hub, plugin, worker):
    # The judge installs nothing, so a project may need only what is there.
    head = to_build(hub, plugin(needs=""))
    first = worker()
    assert (first.state, first.error) == ("done", "")
    hub.go()
    head.refresh_from_db()
    assert head.submission.sha256 == first.sha256
    first_key = first.runner_key_id
    Build.objects.create(
        head=head, purpose="publish", tree=first.tree, nonce="again", round=head.round
    )
    again = worker()
    assert (again.sha256, again.runner_key_id) == (first.sha256, first_key)


def test_a_build_that_cannot_be_is_said_by_the_worker(hub, plugin, worker):
    files = plugin()
    path = "contrib/acme-rms/pyproject.toml"
    files[path] = files[path].replace('"hatchling.build"', '"no_such_backend"')
    head = to_build(hub, files)
    build = worker()
    assert build.state == "failed"
    hub.go()
    head.refresh_from_db()
    assert head.state == "rejected"
    assert head.reason == build.error
