"""Against what GitHub itself publishes: its OpenAPI description, its example messages."""

from __future__ import annotations

import importlib

import pytest

from dougong_registry.forge.webhooks import payloads


@pytest.fixture
def examples():
    return importlib.import_module("forge_octokit").needed("examples.json")


@pytest.fixture
def description():
    octokit = importlib.import_module("forge_octokit")
    return importlib.import_module("forge_openapi").Description(octokit.needed("openapi.json"))


def test_every_example_message_is_read_or_ignored_on_purpose(examples):
    read, ignored = set(), set()
    for kind in examples:
        for example in kind["examples"]:
            name, action = kind["name"], str(example.get("action", ""))
            message = payloads.read(name, example)
            on_purpose = action not in payloads.TAKEN.get(name, ()) or (
                name == "issue_comment" and "pull_request" not in example["issue"]
            )
            assert (message is None) == on_purpose, (name, action)
            (ignored if message is None else read).add(f"{name}.{action}")
    assert "pull_request.opened" in read
    assert "pull_request_review.submitted" in read
    assert len(ignored) > 100


def test_every_request_of_a_whole_life_is_known_to_github(hub, forge, description):
    head = hub.to_review()
    hub.approve(11, 12, sha=head.sha)
    hub.go()
    hub.propose({"contrib/acme-rms/README.md": "# Now\n"})
    hub.go()
    hub.comment(11, "/dougong hold")
    hub.go()
    from dougong_registry.forge import tasks

    tasks.poll()
    asked = {description.check(*row) for row in forge.asked}
    assert asked == {
        "apps/create-installation-access-token",
        "checks/create",
        "checks/list-for-ref",
        "checks/update",
        "issues/create-comment",
        "issues/list-comments",
        "issues/list-comments-for-repo",
        "issues/update-comment",
        "pulls/dismiss-review",
        "pulls/get",
        "pulls/list",
        "pulls/list-reviews",
    }


def test_a_request_that_github_does_not_know_is_found_out(description):
    """The control of the one above."""
    root = "/repos/acme/dougong"
    good = {"name": "x", "head_sha": "a" * 40, "status": "completed", "conclusion": "success"}
    description.check("POST", f"{root}/check-runs", {}, good)
    for bad in (
        {**good, "conclusion": "fine"},
        {**good, "headsha": "a"},
        {**good, "output": {"title": "x", "summary": "y", "annotations": [{"path": "a"}]}},
    ):
        with pytest.raises(AssertionError):
            description.check("POST", f"{root}/check-runs", {}, bad)
    for path, query in ((f"{root}/check-run", {}), (f"{root}/pulls", {"sorted": "updated"})):
        with pytest.raises(AssertionError):
            description.check("GET", path, query, None)


def test_what_we_read_of_answers_is_what_github_answers(description):
    root = "/repos/acme/dougong"
    comment = {
        "id",
        "user",
        "body",
        "created_at",
        "updated_at",
        "issue_url",
        "performed_via_github_app",
    }
    pull = {
        "number",
        "user",
        "head",
        "base",
        "merged_at",
        "merge_commit_sha",
        "updated_at",
        "state",
    }
    review = {"id", "user", "commit_id", "state"}
    run = {"id", "name", "external_id", "output"}
    for path, names, wanted in (
        (f"{root}/pulls", (), pull),
        (f"{root}/pulls/1", (), pull),
        (f"{root}/pulls/1/reviews", (), review),
        (f"{root}/issues/comments", (), comment),
        (f"{root}/issues/1/comments", (), comment),
        (f"{root}/commits/{'a' * 40}/check-runs", ("check_runs",), run),
        (f"{root}/commits/{'a' * 40}/check-runs", ("check_runs", "output"), {"annotations_count"}),
    ):
        assert wanted <= description.properties("GET", path, *names), path
