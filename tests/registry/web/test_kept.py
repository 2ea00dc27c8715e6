"""Pages for everybody are kept for a moment, and no longer."""

from __future__ import annotations

import threading
import time

import pytest
from django.core.cache import cache
from django.http import HttpResponse

from dougong_registry.web.kept import kept


@pytest.fixture(autouse=True)
def _empty():
    cache.clear()
    yield
    cache.clear()


def judged(hub, name: str) -> None:
    submission = hub.submission(f"{name.replace('/', '-')}-ops")
    hub.run(submission, hub.operator(submission, name))


def test_a_page_is_kept_by_its_whole_address(client, hub, settings, django_assert_num_queries):
    settings.PAGE_KEPT_S = 60
    hub.operator(hub.submission("acme-ops"), "acme/first")
    before = client.get("/operators/?ordering=newest").content
    hub.operator(hub.submission("late-ops"), "acme/second")
    with django_assert_num_queries(0):
        assert client.get("/operators/?ordering=newest").content == before
    assert b"acme/second" in client.get("/operators/?ordering=name").content


def test_a_live_submission_is_never_kept(client, hub, settings):
    settings.PAGE_KEPT_S = 60
    submission = hub.submission("acme-ops", state="judging")
    client.get(f"/submissions/{submission.pk}/")
    hub.operator(submission, "acme/first")
    assert b"acme/first" in client.get(f"/submissions/{submission.pk}/").content


def test_what_is_missing_is_not_kept(client, hub, settings):
    settings.PAGE_KEPT_S = 60
    assert client.get("/operators/acme/first/").status_code == 404
    hub.operator(hub.submission("acme-ops"), "acme/first")
    assert client.get("/operators/acme/first/").status_code == 200


def test_a_board_is_kept_until_a_run_changes_it(client, hub, settings, django_assert_num_queries):
    settings.PAGE_KEPT_S = 2
    judged(hub, "acme/first")
    address = "/boards/norm.rms@1/"
    before = client.get(address).content
    with django_assert_num_queries(1):
        assert client.get(address).content == before
    judged(hub, "acme/second")
    assert b"acme/second" in client.get(address).content


def test_a_board_that_is_missing_is_not_kept(client, hub, settings):
    settings.PAGE_KEPT_S = 2
    assert client.get("/boards/norm.rms@1/").status_code == 404
    judged(hub, "acme/first")
    assert client.get("/boards/norm.rms@1/").status_code == 200


def test_one_request_makes_a_page_anew_and_the_others_do_not_wait(rf, settings):
    settings.PAGE_KEPT_S = 1
    begun, go = threading.Event(), threading.Event()
    made: list[int] = []

    @kept
    def page(_request):
        made.append(len(made))
        if len(made) == 2:
            begun.set()
            go.wait(20)
        return HttpResponse(f"made {made[-1]}")

    request = rf.get("/somewhere/")
    assert page(request).content == b"made 0"
    time.sleep(1.1)
    anew = threading.Thread(target=page, args=[request])
    anew.start()
    assert begun.wait(20)
    assert page(request).content == b"made 0"
    go.set()
    anew.join(20)
    assert page(request).content == b"made 1"
    assert len(made) == 2


def test_a_page_that_could_not_be_made_anew_is_tried_again(rf, settings):
    settings.PAGE_KEPT_S = 1
    made: list[int] = []

    @kept
    def page(_request):
        made.append(len(made))
        if len(made) == 2:
            raise OSError("the disk is full")
        return HttpResponse(f"made {made[-1]}")

    request = rf.get("/somewhere/")
    page(request)
    time.sleep(1.1)
    with pytest.raises(OSError, match="full"):
        page(request)
    assert page(request).content == b"made 2"


def test_of_many_who_ask_first_one_makes_the_page(rf, settings):
    settings.PAGE_KEPT_S = 60
    begun, go = threading.Event(), threading.Event()
    made: list[int] = []

    @kept
    def page(_request):
        made.append(len(made))
        begun.set()
        go.wait(20)
        return HttpResponse("made once")

    request, answers = rf.get("/somewhere/"), []
    asking = [threading.Thread(target=lambda: answers.append(page(request))) for _ in range(5)]
    for thread in asking:
        thread.start()
    assert begun.wait(20)
    go.set()
    for thread in asking:
        thread.join(20)
    assert [answer.content for answer in answers] == [b"made once"] * 5
    assert made == [0]
    assert {answer["Cache-Control"] for answer in answers} == {"max-age=60"}
