from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dougong_registry.plugins.models import Plugin, Release


def get(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        get(client, address)
    return len(captured)


@pytest.mark.usefixtures("furnished")
def test_plugin_page_says_what_pip_cannot(client: Client) -> None:
    html = get(client, "/plugins/acme-rms/")
    for said in (
        "dougong install acme-rms==1.2.0",
        "acme/fused-rms",
        "acme/fast-but-wrong",
        "<strong>one pass</strong>",
        ">Speed by row length</a>",
        "Apache-2.0",
        "on offer",
    ):
        assert said in html
    assert "pictures.example.org/speed.png" in html
    assert "<img" not in html


def cells(html: str, operator: str) -> list[str]:
    table = html.partition('class="matrix"')[2].partition("</table>")[0]
    row = next(each for each in table.split("<tr>") if f">{operator}</a>" in each)
    return [" ".join(re.sub("<[^>]*>", " ", each).split()) for each in row.split("<td>")[1:]]


@pytest.mark.usefixtures("furnished")
def test_measured_is_told_from_declared(client: Client, hub: Any) -> None:
    submission = hub.submission("mixed")
    operator = hub.operator(submission, "mixed/rms", devices=["cpu", "cuda"], dtypes=["float32"])
    hub.run(submission, operator, speedup=1.5)
    hub.operator(submission, "mixed/cuda", devices=["cuda"], dtypes=["float16"])
    html = get(client, "/plugins/mixed/")
    # Columns: cpu bfloat16, cpu float32, cuda float16, cuda float32.
    timed, exact = cells(html, "mixed/rms"), cells(html, "mixed/cuda")
    assert [bool(re.match(r"1\.\d+×\s+measured", cell)) for cell in timed[:2]] == [True, True]
    assert timed[2:] == ["· not declared", "declared"]
    assert exact == ["· not declared", "· not declared", "declared", "· not declared"]
    refused = cells(get(client, "/plugins/acme-rms/"), "acme/fast-but-wrong")
    assert refused == ["failed", "failed"]


@pytest.mark.usefixtures("furnished")
def test_a_run_without_scores_is_judged_not_measured(client: Client, hub: Any) -> None:
    submission = hub.submission("untimed")
    hub.run(submission, hub.operator(submission, "untimed/rms"), speedup=None)
    assert cells(get(client, "/plugins/untimed/"), "untimed/rms") == ["judged", "judged"]


@pytest.mark.usefixtures("furnished")
def test_yanked_and_quarantined_say_why(client: Client) -> None:
    plugin = Plugin.objects.get(canonical="acme-rms")
    Release.objects.filter(plugin=plugin, version="1.2.0").update(
        yanked_at=timezone.now(), yanked_reason="wrong for odd rows"
    )
    assert "wrong for odd rows" in get(client, "/plugins/acme-rms/")
    assert "Yanked: wrong for odd rows" in get(client, "/plugins/acme-rms/1.2.0/")
    Plugin.objects.filter(pk=plugin.pk).update(status="quarantined", status_reason="stolen token")
    html = get(client, "/plugins/acme-rms/")
    assert "stolen token" in html
    assert "dougong install" not in html
    assert "pip download" not in get(client, "/plugins/acme-rms/1.2.0/")


@pytest.mark.usefixtures("furnished")
def test_version_page_shows_what_changed_in_its_needs(client: Client) -> None:
    html = get(client, "/plugins/acme-rms/1.2.0/")
    changes = dict(re.findall(r'<tr class="(\w+)"><th scope="row"><code>([^<]+)', html)[::-1])
    found = re.findall(r'<tr class="(\w+)"><th scope="row"><code>([^<]+)', html)
    assert changes.keys() == {"same", "added", "removed"}
    assert sorted(found) == [
        ("added", "numpy&gt;=1.26"),
        ("added", "torch&gt;=2.6"),
        ("removed", "einops"),
        ("removed", "torch&gt;=2.5"),
        ("same", "python &gt;=3.11"),
    ]
    assert "there is no release before it" in get(client, "/plugins/acme-rms/1.1.0/")


@pytest.mark.usefixtures("furnished")
def test_a_name_is_found_however_it_is_spelled(client: Client) -> None:
    answer = client.get("/plugins/Acme_RMS/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/plugins/acme-rms/"


@pytest.mark.usefixtures("furnished")
def test_plugins_are_searched(client: Client) -> None:
    html = get(client, "/plugins/?q=acme")
    assert 'href="/plugins/acme-rms/"' in html
    assert "zen-norms" not in html
    assert "matches “nothing”" in get(client, "/plugins/?q=nothing")


def grown(hub: Any, fill: Callable[[int], None]) -> None:
    for number in range(1, 8):
        fill(number)


def test_queries_do_not_grow_with_operators_and_releases(client: Client, hub: Any) -> None:
    first = hub.submission("many", "1.0")
    hub.run(first, hub.operator(first, "many/first"))
    addresses = ["/plugins/", "/plugins/many/", "/plugins/many/1.0/"]
    before = [queries_of(client, address) for address in addresses]

    def fill(number: int) -> None:
        hub.run(first, hub.operator(first, f"many/op-{number}"))
        later = hub.submission("many", f"1.{number}")
        hub.run(later, hub.operator(later, "many/first"))
        hub.submission(f"other-{number}")

    grown(hub, fill)
    assert [queries_of(client, address) for address in addresses] == before
    assert max(before) <= 12
