from __future__ import annotations

import time

import pytest

from dougong_registry.web import readme


def metadata(body: str, kind: str = "text/markdown") -> str:
    return f"Metadata-Version: 2.4\nName: a\nVersion: 1\nDescription-Content-Type: {kind}\n\n{body}"


def test_markdown_is_marked_up_below_the_headings_of_the_page() -> None:
    html = readme.render(metadata("# Top\n\n## Next\n\n###### Deep\n\n`x` ~~y~~ **z**"))
    assert "<h3>Top</h3>" in html
    assert "<h4>Next</h4>" in html
    assert "<h6>Deep</h6>" in html
    assert "<code>x</code> <s>y</s> <strong>z</strong>" in html


def test_tables_and_code_are_kept() -> None:
    html = readme.render(metadata("|a|b|\n|-|-|\n|1|2|\n\n```python\nx < 1\n```"))
    assert "<td>2</td>" in html
    assert '<pre tabindex="0"><code>x &lt; 1' in html


def test_a_picture_is_a_link_to_it() -> None:
    html = readme.render(metadata("![a plot](https://example.org/a.png)"))
    assert "<img" not in html
    assert 'href="https://example.org/a.png"' in html
    assert ">a plot</a>" in html


def test_a_badge_inside_a_link_does_not_nest_links() -> None:
    html = readme.render(metadata("[![build](https://e.org/b.svg)](https://e.org/ci) then ![p](x)"))
    assert 'href="https://e.org/ci"' in html
    assert ">build</a>" in html
    assert html.count("<a") <= 2


def test_links_say_that_a_stranger_wrote_them() -> None:
    assert 'rel="nofollow noopener ugc"' in readme.render(metadata("[x](https://example.org)"))


@pytest.mark.parametrize("kind", ["text/plain", "text/x-rst", "text/html", ""])
def test_what_is_not_markdown_is_shown_as_written(kind: str) -> None:
    html = readme.render(metadata("<b>bold</b> *x*", kind))
    assert "&lt;b&gt;bold&lt;/b&gt; *x*" in html


def test_media_type_may_have_parameters() -> None:
    html = readme.render(metadata("*x*", "text/markdown; charset=UTF-8; variant=GFM"))
    assert "<em>x</em>" in html


def test_a_long_readme_says_that_it_is_cut() -> None:
    html = readme.render(metadata("long " * 20_000))
    assert "Cut here after 40,000 of 99,999 characters" in html
    assert "Cut here" not in readme.render(metadata("short"))


def test_no_readme_is_nothing() -> None:
    assert readme.render("") == ""
    assert readme.render(metadata("  \n")) == ""


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "*a " * 40_000, "> " * 50_000, "`" * 100_000, "<a " * 30_000, "![" * 50_000],
    ids=["brackets", "stars", "quotes", "ticks", "tags", "pictures"],
)
def test_a_readme_made_to_be_slow_is_drawn_in_seconds(text: str) -> None:
    started = time.perf_counter()
    readme.render(metadata(text))
    assert time.perf_counter() - started < 5


def test_a_null_byte_does_not_hide_a_tag() -> None:
    assert "<script" not in readme.render(metadata("<scr\x00ipt>alert(1)</scr\x00ipt>"))
