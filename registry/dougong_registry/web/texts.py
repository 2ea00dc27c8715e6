"""The governance texts as pages: our own Markdown, which a wheel holds beside this module."""

from __future__ import annotations

import dataclasses
import functools
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

NAMES = ("joining", "levels", "reviewing", "proposals", "takedown", "removal", "conduct")
"""In the order of a newcomer's questions."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One page."""

    name: str
    title: str
    html: SafeString


def text_folder() -> Path:
    """Return where the texts are: in a wheel beside this module, in a checkout at its root."""
    packed = Path(__file__).with_name("governance")
    return packed if packed.is_dir() else Path(__file__).resolve().parents[3] / "governance"


@functools.cache
def text_load(name: str) -> Text:
    """Return one of the texts.

    Raises:
        KeyError: there is no such text.
    """
    if name not in NAMES:
        raise KeyError(name)
    source = (text_folder() / f"{name}.md").read_text("utf-8")
    title, _, rest = source.partition("\n")
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    # Comments mark where a generated table begins and ends; they are for the generator.
    lines = [line for line in rest.splitlines() if not line.startswith("<!--")]
    html = parser.render("\n".join(lines))
    return Text(
        name=name,
        title=title.removeprefix("# "),
        html=mark_safe(html),  # noqa: S308 - our own file, and HTML in it is shown as text
    )


def text_titles() -> tuple[Text, ...]:
    """Return every text, for lists of links."""
    return tuple(map(text_load, NAMES))


class _Renderer(RendererHTML):
    """Give tables what a page of the site has, and turn links between files into links to pages."""

    heading = ""

    def heading_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        self.heading = tokens[index + 1].content
        return f"<{tokens[index].tag}>"

    def table_open(self, *_: Any) -> str:
        caption = format_html("<caption>{}</caption>", self.heading or "In a table")
        return f'<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>{caption}'

    def table_close(self, *_: Any) -> str:
        return "</table></div>"

    def th_open(self, *_: Any) -> str:
        return '<th scope="col">'

    def link_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        address = _address(str(tokens[index].attrGet("href") or ""))
        return format_html('<a href="{}">', address) if address else "<span>"

    def link_close(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        opened = next(
            token
            for token in reversed(tokens[:index])
            if token.type == "link_open" and token.level == tokens[index].level
        )
        return "</a>" if _address(str(opened.attrGet("href") or "")) else "</span>"


def _address(target: str) -> str:
    """Return the page that a file's link leads to; empty where the site has none."""
    if target.startswith("https://"):
        return target
    name = posixpath.basename(target).removesuffix(".md")
    if target == f"{name}.md" and name in NAMES:
        return reverse("text", args=[name])
    return reverse("roles") if name == "roles" else ""
