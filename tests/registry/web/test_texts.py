"""The governance texts on the site are the files of the repository, with links that lead on."""

from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path

import pytest
from django.test import Client

from dougong_registry.web.texts import NAMES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_shown_whole_under_its_title(client: Client, name: str) -> None:
    page = client.get(f"/governance/{name}/").content.decode()
    source = (ROOT / "governance" / f"{name}.md").read_text()
    said = html.unescape(page)
    for heading in re.findall(r"^#+ (.+)$", source, re.MULTILINE):
        assert f">{heading}</h" in said
    assert page.count("<table>") == len(re.findall(r"^\|---", source, re.MULTILINE))
    assert "<!--" not in page.partition('class="text"')[2]


@pytest.mark.django_db
def test_texts_link_to_each_other_and_from_the_rules(client: Client) -> None:
    assert 'href="/governance/levels/"' in client.get("/governance/joining/").content.decode()
    assert 'href="/governance/joining/"' in client.get("/roles/").content.decode()
    assert client.get("/governance/no-such/").status_code == 404


def test_a_wheel_holds_the_texts() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packed = build["targets"]["wheel"]["force-include"]
    for name in NAMES:
        there = f"dougong_registry/web/governance/{name}.md"
        assert packed[f"governance/{name}.md"] == there
