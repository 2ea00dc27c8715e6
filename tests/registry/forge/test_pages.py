"""The pages of pull requests say what the checks say on the forge, and who must act now."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

AUTHOR, REVIEWER, SECOND, STRANGER = 5, 11, 12, 66
QUERIES = 16


@pytest.fixture(autouse=True)
def plain_static(settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


def words(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def page(hub, address: str = "/pulls/1/", status: int = 200) -> str:
    answer = hub.client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def banner(hub) -> str:
    return words(page(hub).partition('class="says">')[2].partition("</p>")[0])


def rail(hub) -> dict[str, str]:
    drawn = page(hub).partition('class="stages rail')[2].partition("</ol>")[0]
    return {
        name: state for state, name in re.findall(r'<li class="(\w+)"[^>]*><strong>(\w+)', drawn)
    }


def test_the_page_follows_a_pull_request_to_its_publication(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    assert banner(hub) == (
        "Waits for a reviewer to look first: first contribution of its author, new plugin."
    )
    assert rail(hub)["unblock"] == "held"
    assert f"/dougong unblock {head.sha[:12]}" in page(hub)
    assert "waits for a reviewer to unblock it" in page(hub, "/pulls/?show=people")
    assert "No pull request is stopped" in page(hub, "/pulls/?show=stopped")

    hub.comment(REVIEWER, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    assert rail(hub)["build"] == "active"
    hub.build()
    hub.go()
    hub.judge(head)
    hub.go()
    assert banner(hub) == "Passed. Still needed: 0 of 2 approvals by a reviewer."
    hub.approve(REVIEWER, sha=head.sha)
    hub.go()
    assert banner(hub) == "Passed. Still needed: 1 of 2 approvals by a reviewer."
    hub.approve(STRANGER, sha=head.sha)
    hub.go()
    assert banner(hub) == "Passed. Still needed: 1 of 2 approvals by a reviewer."
    verdicts = page(hub).partition('id="verdicts"')[2].partition("</section>")[0]
    assert "acme/rms" in verdicts
    assert "1.50×" in verdicts
    assert re.search(r'href="/runs/[^/]+/"', verdicts)
    hub.approve(SECOND, sha=head.sha)
    hub.go()
    assert banner(hub) == "Passed and approved. It waits for the merge."

    hub.merge()
    hub.go()
    hub.build()
    hub.go()
    assert banner(hub) == "Published."
    assert set(rail(hub).values()) == {"done"}
    final = page(hub)
    assert 'href="/plugins/acme-rms/1.0/"' in final
    assert 'href="/people/' in final, "the author has a page once credited"
    submission = page(hub, f"/submissions/{hub_submission(head)}/")
    assert 'href="/pulls/1/"' in submission


def hub_submission(head) -> int:
    head.refresh_from_db()
    return head.submission_id


def test_what_stopped_it_is_said_first_with_file_and_line(hub, plugin):
    hub.propose({**plugin(), "ci/dougong_ci/judge.py": "easy = True\n"})
    hub.go()
    said = banner(hub)
    assert said.startswith("Stopped at lint: ")
    assert "ci/dougong_ci/judge.py" in said
    assert rail(hub)["lint"] == "stopped"
    assert rail(hub)["build"] == "waiting"
    found = words(page(hub).partition('id="found-lint"')[2].partition("</section>")[0])
    assert "ci/dougong_ci/judge.py:1" in found
    assert "stopped" in page(hub, "/pulls/?show=stopped")


def test_a_head_that_gave_way_is_still_to_be_read(hub, plugin):
    first = hub.propose(plugin())
    hub.go()
    second = hub.propose({**plugin(), "contrib/acme-rms/README.md": "more\n"})
    hub.go()
    assert second.sha in page(hub)
    old = page(hub, f"/pulls/1/?head={first.sha[:12]}")
    assert "Gave way to a newer commit." in old
    page(hub, "/pulls/1/?head=abcdefabcdef", status=404)
    page(hub, "/pulls/1/?head=abc", status=404)
    page(hub, "/pulls/2/", status=404)


def test_a_strangers_words_are_shown_as_words(hub, plugin):
    head = hub.to_review()
    hub.comment(REVIEWER, "/dougong hold <script>alert(1)</script>")
    hub.go()
    assert "<script>alert" not in page(hub)
    assert banner(hub) == "On hold: <script>alert(1)</script>"
    assert head.sha in page(hub)


def test_the_api_says_the_same(hub, plugin):
    head = hub.to_review()
    hub.approve(REVIEWER, sha=head.sha)
    hub.go()
    (row,) = hub.client.get("/api/v1/pulls?show=people").json()["results"]
    assert (row["number"], row["head_sha"], row["head_state"]) == (1, head.sha, "review")
    assert hub.client.get("/api/v1/pulls?show=published").json()["results"] == []
    assert hub.client.get("/api/v1/pulls?show=nothing").status_code == 400
    detail = hub.client.get("/api/v1/pulls/1").json()
    assert detail["approvals_missing"] == ["1 of 2 approvals by a reviewer"]
    assert [(each["reviewer_id"], each["counts"]) for each in detail["reviews"]] == [
        (REVIEWER, True)
    ]
    assert [each["name"] for each in detail["steps"]][:3] == ["lint", "scan", "unblock"]
    assert detail["verdicts"][0]["operator"] == "acme/rms"
    assert hub.client.get("/api/v1/pulls/9").status_code == 404


def test_pages_ask_a_constant_number_of_queries(hub, plugin):
    head = hub.to_review()
    counts = []
    for people in ((), (REVIEWER,), (REVIEWER, SECOND)):
        hub.approve(*people, sha=head.sha)
        hub.go()
        with CaptureQueriesContext(
            connection,
        ) as asked:
            page(hub)
        counts.append(len(asked))
    # Where nobody approved, nobody's role is asked for.
    assert counts[0] <= counts[1] == counts[2] <= QUERIES
