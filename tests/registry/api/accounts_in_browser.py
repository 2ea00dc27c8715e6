"""The account pages in a real browser; `test_accounts.py` runs this where GitHub is set up."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, sync_playwright

from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.publishing.services import publisher_add

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")
FOUND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
  v => ({id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))}))"""
PICTURES = os.environ.get("DOUGONG_PICTURES", "")

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


def looked_at(page: Page, name: str, said: list[str]) -> None:
    """Hold the page, its folded parts open, to width, policy and what axe finds grave."""
    assert said == [], name
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert beyond <= 0, f"{name} is {beyond} px too wide at {width}"
            if PICTURES:
                page.screenshot(path=Path(PICTURES, f"{name}-{scheme}-{width}.png"), full_page=True)
            page.evaluate(AXE.read_text())
            grave = [
                each for each in page.evaluate(FOUND) if each["impact"] in {"serious", "critical"}
            ]
            assert grave == [], f"{name} {scheme} {width}"


def test_a_person_signs_in_makes_a_token_trusts_a_workflow_and_revokes_all(
    publish, live_server, browser
):
    publish()
    ada = Identity.objects.create(provider="github", external_id="101", login="ada")
    Plugin.objects.update(owner=ada)
    publisher_add(
        plugin="acme-rms",
        repository_id=1296269,
        repository_owner_id=583231,
        workflow="release.yml",
        environment="release",
        repository="acme/rms",
        owner=ada,
    )
    person = {"person": json.dumps({"id": 101, "login": "ada"})}
    httpx.post(f"{settings.GITHUB['url']}/test/person", data=person)
    said: list[str] = []
    # The real policy is on: the form must be let through to GitHub and back.
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{live_server.url}/account/")
    assert page.inner_text("h1") == "Sign in"
    looked_at(page, "sign-in", said)
    page.click("text=Sign in with GitHub")
    page.wait_for_url("**/account/")
    assert page.inner_text("h1") == "ada"
    page.select_option("#token-days", "90")
    page.check("[value=yank]")
    page.click("button:has-text('Make the token')")
    assert page.inner_text(".fresh code").startswith("dgp_")
    looked_at(page, "account", said)
    page.fill("#acme-rms-repository-id", "7")
    page.fill("#acme-rms-owner-id", "8")
    page.fill("#acme-rms-workflow", "nightly.sh")
    page.click("button:has-text('Trust it')")
    assert "release.yml" in page.inner_text("[role=alert]")
    assert page.input_value("#acme-rms-repository-id") == "7"
    # A refusal is an error of HTTP, of which the console tells.
    looked_at(page, "account-refused", [])
    page.click("button:has-text('Revoke everything')")
    page.wait_for_url("**/account/sign-in/**")
    assert "signed out everywhere" in page.inner_text("main")
    page.goto(f"{live_server.url}/account/")
    assert page.inner_text("h1") == "Sign in"
