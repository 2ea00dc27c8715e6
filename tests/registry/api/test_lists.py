"""Lists, page by page: every row once, forwards and back, whatever is added meanwhile."""

from __future__ import annotations

import pytest

from dougong_registry.runs.services import runner_register


@pytest.fixture
def plugins(ada, wheel_of):
    """Five plugins, submitted in another order than that of their names."""
    for name in ("delta", "alpha", "echo", "bravo", "charlie"):
        made = wheel_of(name=f"acme-{name}")
        assert ada.submit(made, f"acme_{name}-1.0-py3-none-any.whl").status_code == 201
    return ada


def walk(client, address, link="next"):
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.content
        pages.append(answer.json())
        address = pages[-1][link]
    return pages


def names(pages, field="name"):
    return [row[field].removeprefix("acme-") for page in pages for row in page["results"]]


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("name", ["alpha", "bravo", "charlie", "delta", "echo"]),
        ("-name", ["echo", "delta", "charlie", "bravo", "alpha"]),
        ("created", ["delta", "alpha", "echo", "bravo", "charlie"]),
        ("-created", ["charlie", "bravo", "echo", "alpha", "delta"]),
    ],
)
def test_every_row_once_forwards_and_back(plugins, ordering, expected):
    pages = walk(plugins.client, f"/api/v1/plugins?ordering={ordering}&limit=2")
    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert names(pages) == expected
    assert pages[0]["previous"] is None
    back = walk(plugins.client, pages[-1]["previous"], "previous")
    assert names(reversed(back)) == expected[:4]
    assert back[-1]["previous"] is None


def test_what_is_added_meanwhile_moves_nobodys_place(plugins, wheel_of):
    first = plugins.client.get("/api/v1/plugins?limit=2").json()
    plugins.submit(wheel_of(name="acme-aaa"), "acme_aaa-1.0-py3-none-any.whl")
    rest = walk(plugins.client, first["next"])
    assert names(rest) == ["charlie", "delta", "echo"]


def test_filters_go_along_with_the_links(plugins):
    (page,) = walk(plugins.client, "/api/v1/plugins?q=acme+l&limit=10")
    assert names([page]) == ["alpha", "charlie", "delta"]
    pages = walk(plugins.client, "/api/v1/plugins?q=acme+l&limit=1&status=active")
    assert names(pages) == ["alpha", "charlie", "delta"]
    assert walk(plugins.client, "/api/v1/plugins?status=quarantined")[0]["results"] == []


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WyJwayIsMSxmYWxzZV0", "%00", "é"])
def test_a_cursor_of_no_place_is_refused(plugins, cursor):
    answer = plugins.client.get(f"/api/v1/plugins?cursor={cursor}")
    assert answer.status_code in (400, 404), answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_a_plugin_its_releases_and_one_of_them(plugins, wheel_of):
    plugins.submit(wheel_of(name="acme-alpha", version="2.0"), "acme_alpha-2.0-py3-none-any.whl")
    get = plugins.client.get
    plugin = get("/api/v1/plugins/Acme.Alpha").json()["plugin"]
    assert (plugin["name"], plugin["releases"], plugin["latest"]) == ("acme-alpha", 2, "")
    pages = walk(plugins.client, "/api/v1/plugins/acme-alpha/releases?limit=1")
    assert names(pages, "version") == ["2.0", "1.0"]
    release = get("/api/v1/plugins/acme-alpha/releases/2.0").json()["release"]
    assert release == pages[0]["results"][0]
    assert get("/api/v1/plugins/nobody").status_code == 404
    assert get("/api/v1/plugins/nobody/releases").status_code == 404
    assert get("/api/v1/plugins/acme-alpha/releases/3.0").status_code == 404


def test_submissions_runs_people_and_runners(ada, runner, job, verdict_of):
    get = ada.client.get
    assert names(walk(ada.client, "/api/v1/submissions?state=queued"), "state") == ["queued"]
    runner.claim(job)
    runner.discover(job)
    run = runner.send(job, verdict_of(job)).json()["run_id"]
    runner.complete(job)
    assert get("/api/v1/submissions?state=queued").json()["results"] == []
    (row,) = get("/api/v1/runs?operator=acme/rms&official=true").json()["results"]
    assert (row["id"], row["scores"][0]["dtype"]) == (run, "float32")
    assert get("/api/v1/runs?official=false").json()["results"] == []
    assert get("/api/v1/plugins/acme-rms").json() == {
        "plugin": get("/api/v1/plugins").json()["results"][0],
        "operators": ["acme/rms"],
    }
    assert get("/api/v1/plugins/acme-rms/releases/1.0").json()["operators"] == ["acme/rms"]
    (person,) = get("/api/v1/people").json()["results"]
    assert get("/api/v1/people/ada").json() == {
        "person": person,
        "plugins": ["acme-rms"],
        "providers": ["acme"],
        "standing": get("/api/v1/people/ada").json()["standing"],
    }
    runner_register(name="a-runner", public_key="A" * 43 + "=")
    assert names(walk(ada.client, "/api/v1/runners?limit=1")) == ["a-runner", "cpu-1"]


def test_a_page_costs_the_same_queries_however_long(plugins, django_assert_max_num_queries):
    for address in ("plugins", "submissions", "people", "runners", "runs"):
        with django_assert_max_num_queries(2):
            plugins.client.get(f"/api/v1/{address}")


def read(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_every_answer_says_how_long_it_may_be_kept_and_304_to_who_has_it(
    ada, runner, job, verdict_of
):
    runner.claim(job)
    runner.discover(job)
    run = runner.send(job, verdict_of(job)).json()["run_id"]
    kept = {
        "plugins": "public, max-age=30",
        "operators/acme/rms": "public, max-age=30",
        "boards/norm.rms@1": "public, max-age=30",
        f"runs/{run}": "public, max-age=31536000, immutable",
        f"artifacts/{job.submission.sha256}": "public, max-age=31536000, immutable",
        f"submissions/{job.submission_id}": "no-cache",
        "submissions": "no-cache",
    }
    for address, policy in kept.items():
        answer = ada.client.get(f"/api/v1/{address}")
        assert answer["Cache-Control"] == policy, address
        assert answer["ETag"].startswith('"'), address
        assert read(answer)
        again = ada.client.get(f"/api/v1/{address}", headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b""), address
        other = ada.client.get(f"/api/v1/{address}", headers={"If-None-Match": '"x"'})
        assert other.status_code == 200, address
        assert read(other)
