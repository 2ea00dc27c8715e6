from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from dougong_registry.boards import selectors
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Submission
from dougong_registry.web.texts import NAMES

EMPTY = [
    "/",
    "/operators/",
    "/plugins/",
    "/boards/",
    "/submissions/",
    "/publish/",
    "/people/",
    "/community/",
    "/hardware/",
    "/suites/",
    "/audit/",
    "/notices/",
    "/rejudging/",
    "/pulls/",
]
QUERIES = 16
"""No page asks more, whatever it shows."""


class Page(HTMLParser):
    """Tags with attributes, and text, of one page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: list[str] = []
        self.inline_code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.inside and self.inside[-1] in {"script", "style"} and data.strip():
            self.inline_code += 1

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def pages() -> list[str]:
    """Return an address of every kind of page of the furnished hub."""
    runs = [f"/runs/{run.verdict_id}/" for run in Run.objects.only("verdict_id")]
    submissions = [f"/submissions/{row.pk}/" for row in Submission.objects.only("pk")]
    return [
        *EMPTY,
        "/operators/?q=rms&family=norm",
        "/operators/acme/fused-rms/",
        "/operators/acme/fast-but-wrong/",
        "/operators/zen/layer/",
        "/people/ada/",
        "/roles/",
        *(f"/governance/{name}/" for name in NAMES),
        "/hardware/cpu/Xeon-8481C/2c/avx512/",
        "/suites/norm.rms@1/2026.1/",
        "/suites/attention.approx@1/2026.1/",
        "/audit/?target=acme-rms+1.2.0",
        "/compare/",
        "/compare/?contract=norm.rms@1",
        "/compare/?operator=acme/fused-rms&operator=dougong/rms-foreach&operator=dougong/linear",
        "/plugins/acme-rms/",
        "/plugins/zen-norms/",
        "/plugins/acme-rms/1.2.0/",
        "/plugins/acme-rms/1.1.0/",
        "/boards/norm.rms@1/",
        "/boards/norm.rms@1/?dtype=bfloat16",
        "/boards/attention.approx@1/",
        "/pulls/?show=people",
        "/pulls/?show=published",
        "/pulls/1/",
        "/pulls/2/",
        "/pulls/3/",
        f"/pulls/1/?head={'10' * 20}",
        *runs[:2],
        *submissions,
    ]


def get(client: Client, address: str, status: int = 200, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == status, address
    return response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("address", EMPTY)
def test_empty_page_says_what_to_do_next(client: Client, address: str) -> None:
    html = get(client, address)
    assert "dougong submit" in html or "dougong new" in html


@pytest.mark.usefixtures("peopled")
def test_every_page_holds_the_rules_of_the_house(client: Client) -> None:
    for address in pages():
        html = get(client, address)
        page = Page(html)
        assert len(page.all("h1")) == 1, address
        assert page.all("main"), address
        assert page.all("title"), address
        assert page.inline_code == 0, f"{address}: inline script or style"
        for tag, attrs in page.tags:
            assert "style" not in attrs, f"{address}: style attribute on {tag}"
            assert not any(name.startswith("on") for name in attrs), f"{address}: handler on {tag}"
            loaded = attrs.get("src") or (attrs.get("href") if tag == "link" else None)
            assert not loaded or loaded.startswith("/static/"), f"{address}: loads {loaded}"
        ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
        assert len(ids) == len(set(ids)), f"{address}: an id occurs twice"


@pytest.mark.usefixtures("peopled")
def test_every_page_can_be_read_without_seeing_it(client: Client) -> None:
    for address in pages():
        page = Page(get(client, address))
        assert len(page.all("caption")) == len(page.all("table")), address
        assert all(attrs.get("scope") in {"col", "row"} for attrs in page.all("th")), address
        labelled = {attrs.get("for") for attrs in page.all("label")}
        for attrs in page.all("input", "select", "textarea"):
            assert attrs.get("type") == "hidden" or attrs.get("id") in labelled, address
        for attrs in page.all("svg"):
            named = attrs.get("role") in {"img", "group"} and attrs.get("aria-label")
            assert named or attrs.get("aria-hidden") == "true", address


@pytest.mark.usefixtures("peopled")
def test_links_between_pages_lead_somewhere(client: Client) -> None:
    found = {
        str(attrs["href"]).partition("#")[0]
        for address in pages()
        for attrs in Page(get(client, address)).all("a")
        if str(attrs.get("href")).startswith("/") and not str(attrs["href"]).startswith("/api/")
    }
    assert len(found) > 20
    for address in found:
        get(client, address)


@pytest.mark.usefixtures("furnished")
def test_pages_carry_a_strict_policy(client: Client) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.usefixtures("furnished")
def test_board_table_equals_the_data(client: Client) -> None:
    board = selectors.board("norm.rms@1", dtype="float32")
    html = get(client, "/boards/norm.rms@1/?dtype=float32")
    assert len(board.rows) == 4
    places = [html.index(f'href="/operators/{row.operator}/"') for row in board.rows]
    assert places == sorted(places)
    for row in board.rows:
        assert f">{row.speedup:.2f}×<" in html
        assert f"{row.ci_low:.2f}–{row.ci_high:.2f}×" in html
    assert "40 times its bound" in html.partition("Judged, not ranked")[2]


@pytest.mark.usefixtures("furnished")
def test_operator_page_answers_the_five_questions(client: Client) -> None:
    html = get(client, "/operators/acme/fused-rms/")
    for answer in (
        "dougong install acme-rms==1.2.0",
        "handle = plan.apply()",
        "128 of 128 checks within bound",
        "https://arxiv.org/abs/1910.07467",
        "Apache-2.0",
    ):
        assert answer in html


@pytest.mark.usefixtures("furnished")
def test_run_page_shows_every_case_and_every_error(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fast-but-wrong")
    html = get(client, f"/runs/{run.verdict_id}/")
    assert "REJECTED_ACCURACY" in html
    assert html.count('data-label="Outcome"') == 7
    assert html.count("max error 40 times its bound") >= 2
    table = html.partition("Worst first")[2]
    assert table.index("large-values") < table.index("llama-7b-prefill")


@pytest.mark.usefixtures("furnished")
def test_raw_times_are_drawn_dot_by_dot_and_claims_are_settled(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    detail = selectors.run_detail(run.verdict_id)
    html = get(client, f"/runs/{run.verdict_id}/")
    samples = sum(
        len(rounds)
        for case in detail.speed
        for series in (case.candidate_us, case.baseline_us, case.control_us)
        for rounds in series
    )
    assert 'class="badge proved"' in html
    assert html.count("h0") == 2 * samples  # the wide and the narrow drawing


@pytest.mark.usefixtures("furnished")
def test_run_page_shows_what_a_case_took_besides_time(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    html = get(client, f"/runs/{run.verdict_id}/").partition("Case by case")[2]
    assert html.count(">98.1%<") == 6 * (1 + 7)  # once a case, once a restart
    assert html.count(">212 MB<") == 6 * (1 + 7)
    assert "peak memory of torch" in html
    assert "waited for a processor" in html


@pytest.mark.usefixtures("furnished")
def test_run_page_shows_all_errors_by_size(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    table = get(client, f"/runs/{run.verdict_id}/").partition("All errors by size")[2]
    for said in ("bfloat16 · forward", "below 0.5", "90.0%", "1 to 4", "2.0%"):
        assert said in table
    assert "1024 or more" not in table  # no output is that far off


@pytest.mark.usefixtures("furnished")
def test_an_approximation_shows_quality_beside_speed_length_by_length(client: Client) -> None:
    run = Run.objects.get(operator__name="dougong/linear")
    html = get(client, f"/runs/{run.verdict_id}/")
    assert "512 tokens: 86.0% kept at 0.50×; 2,048 tokens: 72.0% kept at 2.00×" in html
    quality = html.partition('id="quality"')[2].partition("</section>")[0]
    assert quality.index('"num">58.0%') < quality.rindex('"num">86.0%')
    exact = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    assert 'id="quality"' not in get(client, f"/runs/{exact.verdict_id}/")


@pytest.mark.usefixtures("furnished")
def test_a_decision_stands_beside_every_score_and_says_what_it_rests_on(client: Client) -> None:
    run = Run.objects.get(operator__name="acme/fused-rms", superseded_at=None)
    why = "Beats the baseline by 5% in all of 7, 12 of 13, 18 of 20 or 26 of 32 restarts"
    for address in (
        "/boards/norm.rms@1/?dtype=float32",
        "/operators/acme/fused-rms/",
        f"/runs/{run.verdict_id}/",
    ):
        html = get(client, address)
        assert f'<span class="decision faster" title="{why}; 7 were run.">faster</span>' in html
    board = get(client, "/boards/norm.rms@1/?dtype=float32")
    assert ">not faster</span>" in board


@pytest.mark.usefixtures("furnished")
def test_submission_says_when_it_is_judged_again(client: Client) -> None:
    done = Submission.objects.get(jobs__retry=1)
    html = get(client, f"/submissions/{done.pk}/")
    assert "1 operator will be judged again at" in html
    assert "UTC</time>: the machine was busy." in html


@pytest.mark.usefixtures("furnished")
def test_submission_is_complete_without_script_and_asks_to_be_read_again(client: Client) -> None:
    live = Submission.objects.get(state="judging")
    html = get(client, f"/submissions/{live.pk}/")
    assert '<noscript><meta http-equiv="refresh"' in html
    assert "gradient is running" in html
    part = get(client, f"/submissions/{live.pk}/", **{"HX-Request": "true"})
    assert part.startswith('<div id="live" hx-get=')
    assert "<html" not in part


@pytest.mark.usefixtures("furnished")
def test_finished_submission_stops_asking(client: Client) -> None:
    done = Submission.objects.filter(state="judged").first()
    assert done is not None
    html = get(client, f"/submissions/{done.pk}/")
    assert "hx-get" not in html
    assert "http-equiv" not in html


@pytest.mark.usefixtures("furnished")
def test_a_judged_submission_whose_events_were_not_kept_does_not_look_failed(
    client: Client,
) -> None:
    imported = Submission.objects.filter(state="judged", events__isnull=True).first()
    assert imported is not None
    stages = get(client, f"/submissions/{imported.pk}/").partition('class="stages"')[2]
    drawn = stages.partition("</ol>")[0]
    assert drawn.count('class="done"') == 4
    assert "time not kept" in drawn
    assert "to come" not in drawn


def test_search_and_filters_are_in_the_address(client: Client, furnished: Any) -> None:
    html = get(client, "/operators/?q=linear&family=attention")
    assert "dougong/linear" in html
    assert "acme/fused-rms" not in html
    assert 'value="linear"' in html
    assert "No operator matches" in get(client, "/operators/?q=nothing-like-it")
    get(client, "/operators/?page=zero&page=²")


def test_long_lists_are_paged(client: Client, hub: Any) -> None:
    submission = hub.submission("many")
    for number in range(53):
        hub.operator(submission, f"many/op-{number:03}")
    first = get(client, "/operators/?q=many")
    assert "many/op-049" in first
    assert "many/op-050" not in first
    assert 'rel="next"' in first
    second = get(client, "/operators/?q=many&page=2")
    assert "many/op-052" in second
    assert 'rel="next"' not in second


def test_hostile_metadata_is_text(client: Client, hub: Any) -> None:
    attack = '<img src=x onerror="alert(1)"></script><script>alert(1)</script>'
    submission = hub.submission("evil")
    operator = hub.operator(
        submission,
        "evil/rms",
        summary=attack,
        paper="javascript:alert(1)",
        upstream="javascript:alert(1)",
        claims=[attack],
    )
    run = hub.run(submission, operator, summary=attack)
    for address in ("/", "/operators/", "/operators/evil/rms/", f"/runs/{run.verdict_id}/"):
        html = get(client, address)
        assert attack not in html
        assert "javascript:" not in str([a.get("href") for a in Page(html).all("a")])
    assert escape(attack) in get(client, "/operators/evil/rms/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/nope",
        "/operators/no/such/",
        "/boards/no.such@1/",
        "/plugins/no-such/",
        "/plugins/no-such/1.0/",
        "/people/nobody/",
        "/hardware/no/such/",
        "/suites/norm.rms@1/1999/",
        "/runs/nope/",
        "/submissions/99/",
    ],
)
def test_what_is_not_there_gets_a_readable_page(client: Client, address: str) -> None:
    html = get(client, address, status=404)
    assert "There is no such page" in html
    assert address.replace("@", "%40") in html


def test_a_broken_page_is_readable_too(client: Client, db: None, monkeypatch: Any) -> None:
    def broken() -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(selectors, "home", broken)
    client.raise_request_exception = False
    html = get(client, "/", status=500)
    assert "Something broke on our side" in html
    assert "the disk is on fire" not in html


def test_pages_only_read(client: Client, db: None) -> None:
    assert client.post("/operators/").status_code == 405


@pytest.mark.usefixtures("peopled")
def test_queries_do_not_grow_with_rows(client: Client, django_assert_max_num_queries: Any) -> None:
    for address in pages():
        with django_assert_max_num_queries(QUERIES):
            get(client, address)


@pytest.mark.parametrize(
    "address",
    [
        "/operators/?q=a%00b&family=%00&contract=n%00",
        "/boards/norm.rms@1/?hardware=%00&dtype=%00",
        "/plugins/?q=%00rms",
        "/compare/?operator=acme%00/fused-rms&operator=dougong/torch-rms&hardware=%00",
        "/compare/?contract=%00norm.rms@1",
        "/people/ada/?provider=%00",
        "/audit/?before=%00&target=%00",
    ],
)
@pytest.mark.usefixtures("furnished")
def test_a_zero_byte_in_an_address_breaks_no_page(client: Client, address: str) -> None:
    get(client, address)


@pytest.mark.parametrize(
    "address",
    [
        "/runs/%00/",
        "/boards/norm%00/",
        "/operators/acme/rms%00/",
        "/badges/acme/rms%00.svg",
        "/people/%00/",
        "/plugins/%00/",
        "/feeds/plugins/%00.atom",
        "/plugins/acme-rms/%00/",
        "/suites/norm.rms%00/1/",
        "/hardware/%00/",
        "/submissions/99999999999999999999/",
    ],
)
@pytest.mark.usefixtures("furnished")
def test_an_address_that_no_row_can_have_is_not_found(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404
