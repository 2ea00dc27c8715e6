from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Submission

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    # The live server starts before a test can name a static folder; it serves from the sources.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]


def test_pages_fit_a_phone_and_break_no_policy(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    run = Run.objects.filter(outcome="passed").first()
    failed = Run.objects.filter(outcome="failed").first()
    approximate = Run.objects.get(operator__name="dougong/linear")
    live = Submission.objects.get(state="judging")
    again = Submission.objects.get(jobs__retry=1)
    assert run is not None
    assert failed is not None
    addresses = [
        "/",
        "/operators/",
        "/operators/acme/fused-rms/",
        "/boards/",
        "/boards/norm.rms@1/",
        "/boards/attention.approx@1/",
        f"/runs/{run.verdict_id}/",
        f"/runs/{failed.verdict_id}/",
        f"/runs/{approximate.verdict_id}/",
        "/submissions/",
        f"/submissions/{live.pk}/",
        f"/submissions/{again.pk}/",
        "/publish/",
    ]
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for address in addresses:
        page.goto(live_server.url + address)
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, f"{address} is {beyond} px too wide"
        assert said == [], address


def test_submission_page_follows_the_judge(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    live = Submission.objects.get(state="judging")
    page = browser.new_page()
    page.goto(f"{live_server.url}/submissions/{live.pk}/")
    assert "gradient is running" in page.inner_text("[role=status]")
    furnished.events(live, [("gate_finished", "zen/rms", "gradient", "failed", "off by 3 bounds")])
    page.wait_for_selector("text=off by 3 bounds", timeout=10_000)
    assert page.locator(".badge.failed").count() >= 1


def test_chart_shows_its_numbers_on_hover(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{live_server.url}/boards/norm.rms@1/?dtype=float32")
    page.locator("figure .plot.wide .row circle").first.hover()
    assert "95% interval" in page.inner_text(".tip")
