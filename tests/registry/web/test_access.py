from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Submission

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")
GRAVE = {"serious", "critical"}
WIDTHS = (1280, 390)
OF_COLOUR = ("color-contrast", "link-in-text-block")
"""All that a dark page can get wrong that the light one has right."""
FOUND = """async (options) => (await axe.run(document, options)).violations.map(
  v => ({id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))}))"""


def addresses() -> dict[str, str]:
    """Return name -> address of every page of the furnished hub, and what it must say."""
    passed = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    failed = Run.objects.get(operator__name="acme/fast-but-wrong")
    approximate = Run.objects.get(operator__name="dougong/linear")
    live = Submission.objects.get(state="judging")
    again = Submission.objects.get(jobs__retry=1)
    two = "operator=acme/fused-rms&operator=dougong/rms-foreach"
    return {
        "/": "Operators that fit",
        "/operators/": "acme/fused-rms",
        "/operators/acme/fused-rms/": "dougong install acme-rms==1.2.0",
        "/operators/acme/fast-but-wrong/": "40 times its bound",
        "/plugins/": "acme-rms",
        "/plugins/acme-rms/": "one pass",
        "/plugins/acme-rms/1.2.0/": "sha256sum --check",
        f"/compare/?{two}": "Peak memory",
        "/compare/?contract=norm.rms@1": "Choose what to compare",
        "/boards/": "norm.rms@1",
        "/boards/norm.rms@1/": "Compare those ticked",
        "/boards/attention.approx@1/": "dougong/linear",
        "/boards/optimizer.train@1/": "Trained on text",
        "/operators/acme/muon/": "digits",
        f"/runs/{passed.verdict_id}/": "Repeat it",
        f"/runs/{failed.verdict_id}/": "REJECTED_ACCURACY",
        f"/runs/{approximate.verdict_id}/": "Quality kept",
        "/submissions/": "zen-norms",
        f"/submissions/{live.pk}/": "gradient",
        f"/submissions/{again.pk}/": "again",
        "/publish/": "dougong submit",
        "/people/": "ada",
        "/people/ada/": "What is missing for member",
        "/people/mia/": "maintainer",
        "/community/": "Contributor absence factor",
        "/roles/": "policy 2026.1",
        "/hardware/": "cpu/Xeon-8481C/2c/avx512",
        "/hardware/cpu/Xeon-8481C/2c/avx512/": "cpu-1",
        "/suites/": "norm.rms@1/2026.1",
        "/suites/norm.rms@1/2026.1/": "llama-7b-prefill",
        "/audit/": "release.yanked",
        "/notices/": "1.31x",
        "/rejudging/": "2.10.0",
        "/pulls/": "acme-rms",
        "/pulls/1/": "Still needed: 0 of 2 approvals by a reviewer",
        "/pulls/2/": "Stopped at lint",
        "/governance/levels/": "Worked examples",
        "/governance/takedown/": "Quarantine",
        "/nope": "There is no such page",
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_grave_stands_in_a_readers_way(
    schooled: Any, live_server: Any, browser: Browser, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    found = {}
    for address in addresses():
        page.emulate_media(color_scheme="light")
        page.goto(live_server.url + address)
        # Folded parts are read too.
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        grave = violations(page)
        page.emulate_media(color_scheme="dark")
        grave += violations(page, *OF_COLOUR)
        if grave:
            found[address] = grave
    assert found == {}


def violations(page: Page, *rules: str) -> list[dict[str, Any]]:
    """Return what is grave on a page, by all rules or by those named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    only = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found = page.evaluate(FOUND, {"resultTypes": ["violations"], "preload": False, **only})
    return [each for each in found if each["impact"] in GRAVE]


def test_the_check_sees_what_is_grave(live_server: Any, browser: Browser, db: None) -> None:
    page = browser.new_context(bypass_csp=True, color_scheme="dark").new_page()
    page.goto(f"{live_server.url}/")
    page.evaluate("document.querySelector('main').innerHTML = '<h1>Heading</h1><button></button>'")
    assert "button-name" in {each["id"] for each in violations(page)}
    page.evaluate("document.querySelector('h1').style = 'color: #333; background: #222'")
    assert [each["id"] for each in violations(page, *OF_COLOUR)] == ["color-contrast"]


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    yield page
    context.close()


def test_every_page_says_its_piece_without_script(
    schooled: Any, live_server: Any, plain: Page
) -> None:
    for address, said in addresses().items():
        plain.goto(live_server.url + address)
        assert said in plain.inner_text("main"), address


def test_operators_are_found_and_compared_without_script(
    furnished: Any, live_server: Any, plain: Page
) -> None:
    plain.goto(live_server.url)
    plain.fill("#hero-q", "rms")
    plain.click(".hero button")
    assert urlsplit(plain.url).query == "q=rms"
    plain.click("text=acme/fused-rms")
    plain.click("text=Board of norm.rms@1")
    plain.check("[value='acme/fused-rms']")
    plain.check("[value='dougong/rms-foreach']")
    plain.click("text=Compare those ticked")
    assert "dougong/rms-foreach" in plain.inner_text("h1 ~ .lede")


def paper(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_theme_is_the_systems_until_the_reader_chooses(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(live_server.url)
    dark = paper(page)
    page.check("#theme-light")
    light = paper(page)
    assert dark != light
    page.goto(f"{live_server.url}/operators/")
    assert paper(page) == light
    page.check("#theme-auto")
    assert paper(page) == dark


def test_the_theme_is_chosen_without_script(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    # Script is needed to read the colour, not to choose it: the site's own file is kept away.
    page = browser.new_context(color_scheme="light").new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(live_server.url)
    light = paper(page)
    page.check("#theme-dark")
    assert paper(page) != light


def test_the_keyboard_reaches_the_content_and_shows_where_it_is(
    furnished: Any, live_server: Any, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{live_server.url}/boards/norm.rms@1/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_break_no_policy(
    schooled: Any, live_server: Any, browser: Browser, width: int
) -> None:
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for address in addresses():
        page.goto(live_server.url + address)
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, f"{address} is {beyond} px too wide"
        if address != "/nope":  # whose status is an error on purpose
            assert said == [], address
