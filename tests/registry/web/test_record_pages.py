from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import HUB, record
from dougong_registry.people.models import Identity

MACHINE = "/hardware/cpu/Xeon-8481C/2c/avx512/"


def get(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


@pytest.mark.usefixtures("furnished")
def test_people_are_named_with_what_they_published(client: Client) -> None:
    html = get(client, "/people/")
    assert 'data-label="Plugins" class="num">4<' in html
    assert 'data-label="Submissions" class="num">5<' in html
    person = get(client, "/people/ada/")
    for said in ("local:1", "acme-rms", "zen-norms", "<code>acme/</code>", "<code>zen/</code>"):
        assert said in person


@pytest.mark.usefixtures("furnished")
def test_who_published_nothing_is_not_listed(client: Client) -> None:
    Identity.objects.create(external_id="2", login="reader")
    assert "reader" not in get(client, "/people/")
    assert "Nothing was submitted yet" in get(client, "/people/reader/")


@pytest.mark.usefixtures("furnished")
def test_a_namesake_is_not_taken_for_the_other(client: Client) -> None:
    Identity.objects.create(provider="github", external_id="77", login="ada")
    assert "acme-rms" in get(client, "/people/ada/")
    other = get(client, "/people/ada/?provider=github")
    assert "github:77" in other
    assert "acme-rms" not in other
    assert "local:1" in other.partition("Also called")[2]
    get(client, "/people/ada/?provider=gitlab", status=404)


def test_what_somebody_published_is_shown_twenty_at_a_time(client: Client, hub: Any) -> None:
    for number in range(23):
        hub.submission(f"plugin-{number:02}", age_s=number)
    first, second = (get(client, f"/people/ada/{page}") for page in ("", "?page=2"))
    shown = [re.findall(r'href="/plugins/(plugin-\d\d)/"', each) for each in (first, second)]
    assert [len(set(each)) for each in shown] == [20, 3]
    assert not set(shown[0]) & set(shown[1])
    assert "20 of 23." in first
    assert 'rel="next"' in first
    assert 'rel="next"' not in second


@pytest.mark.usefixtures("furnished")
def test_machine_page_names_its_runners_boards_and_runs(client: Client) -> None:
    html = get(client, MACHINE)
    for said in ("9 runs of 9 operators", "cpu-1", "3f9a2c71", "official", "acme/fast-but-wrong"):
        assert said in html
    assert html.count('href="/boards/norm.rms@1/') + html.count("norm.rms%401") >= 2


@pytest.mark.usefixtures("furnished")
def test_suite_page_shows_cases_and_bounds_but_nothing_hidden(client: Client) -> None:
    html = get(client, "/suites/norm.rms@1/2026.1/")
    for said in ("llama-7b-decode", "D=4096, T=1", "bfloat16, float32", "transposed"):
        assert said in html
    assert "odd-sizes" not in html
    assert "float32 1.0×10⁻⁶" in html


@pytest.mark.usefixtures("furnished")
def test_audit_log_is_the_chain(client: Client) -> None:
    html = get(client, "/audit/")
    for entry in Entry.objects.all():
        assert entry.hash in html
        assert entry.verb in html
    one = get(client, "/audit/?target=old-norms+0.1")
    assert "wrong for odd rows" in one
    assert "release.published" not in one


def test_audit_log_is_paged_without_gaps(client: Client, db: None) -> None:
    for number in range(103):
        record(actor=HUB, verb="release.published", target=f"many {number}")
    first = get(client, "/audit/")
    assert ">many 102<" in first
    assert ">many 53<" in first
    assert ">many 52<" not in first
    assert 'href="?before=54"' in first
    second = get(client, "/audit/?before=54")
    assert ">many 52<" in second
    assert ">many 3<" in second
    last = get(client, "/audit/?before=4")
    assert ">many 2<" in last
    assert ">many 0<" in last
    assert 'rel="next"' not in last
    get(client, "/audit/?before=99999999999999999999&target=%00")


def test_hostile_logins_and_reasons_are_text(client: Client, hub: Any) -> None:
    attack = "<script>alert(1)</script>"
    record(actor=HUB, verb="release.yanked", target=attack, reason=attack)
    html = get(client, "/audit/")
    assert attack not in html
    assert "&lt;script&gt;" in html


def test_queries_do_not_grow_with_the_record(client: Client, hub: Any) -> None:
    addresses = [
        "/community/",
        "/roles/",
        "/people/",
        "/people/ada/",
        "/hardware/",
        MACHINE,
        "/suites/",
        "/audit/",
        "/notices/",
        "/rejudging/",
    ]
    addresses.append("/suites/norm.rms@1/2026.1/")
    first = hub.submission("first")
    hub.run(first, hub.operator(first, "first/rms"))
    record(actor=HUB, verb="release.published", target="first")

    def counts() -> list[int]:
        found = []
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                get(client, address)
            found.append(len(captured))
        return found

    before = counts()
    for number in range(6):
        later = hub.submission(f"later-{number}")
        hub.run(later, hub.operator(later, f"later/op-{number}"))
        record(actor=HUB, verb="release.published", target=f"later-{number}")
    assert counts() == before
    assert max(before) <= 10
