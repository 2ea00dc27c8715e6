from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from dougong_registry.submissions.models import Submission

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    # The live server starts before a test can name a static folder; it serves from the sources.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]


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
