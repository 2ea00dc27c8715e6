"""A stranger's README as harmless HTML: Markdown first, then an allow-list of tags."""

from __future__ import annotations

import email
import email.policy
import functools
import re
from collections.abc import Sequence
from typing import Any

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LONGEST = 40_000
"""Characters of a README that are drawn. Brackets without end cost the square of their number."""
SHIFT = 2
"""A page's own headings are h1 and h2, so those of a README start at h3."""
_TAGS = {
    *("a", "p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "kbd", "samp"),
    *("strong", "em", "b", "i", "s", "del", "sub", "sup", "ul", "ol", "li", "dl", "dt", "dd"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
_ATTRIBUTES: dict[str, set[str]] = {"a": {"href", "title"}, "ol": {"start"}}
_SET = {"pre": {"tabindex": "0"}}
"""A wide block scrolls, so the keyboard must reach it."""
_PLAIN = '<pre tabindex="0">{}</pre>'
_CUT = "<p><strong>Cut here after {} of {} characters; the wheel holds all of it.</strong></p>"
_HEADING = re.compile("h([1-6])")


def description(core_metadata: str) -> tuple[str, str]:
    """Return the README in a METADATA file and its media type, as PEP 566 keeps them."""
    message = email.message_from_string(core_metadata, policy=email.policy.compat32)
    body = message.get_payload()
    text = body if isinstance(body, str) else ""
    written = text.strip() or str(message.get("Description", "")).strip()
    kind = str(message.get("Description-Content-Type", "text/plain"))
    return written, kind.partition(";")[0].strip().lower()


def render(core_metadata: str) -> SafeString:
    """Draw the README of a wheel; empty where it has none.

    Only Markdown is marked up. Anything else, reStructuredText too, is shown as it was written.
    """
    text, kind = description(core_metadata)
    if not text:
        return SafeString("")
    drawn = text[:LONGEST]
    html = markdown(drawn) if kind == "text/markdown" else format_html(_PLAIN, drawn)
    if len(text) > LONGEST:
        html += format_html(_CUT, f"{LONGEST:,}", f"{len(text):,}")
    return html


@functools.lru_cache(maxsize=64)
def markdown(text: str) -> SafeString:
    """Render Markdown and keep only tags that cannot act, load or restyle anything."""
    html = _parser().render(text.replace("\x00", ""))
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="nofollow noopener ugc",
        strip_comments=True,
        set_tag_attribute_values=_SET,
    )
    return mark_safe(clean)  # noqa: S308 - nh3 keeps the allow-list above and nothing else


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer)
    return parser.enable(["table", "strikethrough"])


class _Renderer(RendererHTML):
    """Lower the headings, and write pictures as links: nothing is loaded from other hosts."""

    def heading_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return f"<{_lower(tokens[index].tag)}>"

    def heading_close(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return f"</{_lower(tokens[index].tag)}>\n"

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        token = tokens[index]
        alt = self.renderInlineAsText(token.children, options, env) or "picture"
        inside_a_link = any(other.type == "link_open" for other in tokens[:index]) and not any(
            other.type == "link_close" for other in tokens[:index]
        )
        if inside_a_link:
            return str(format_html("{}", alt))
        return str(format_html('<a href="{}">{}</a>', str(token.attrGet("src") or ""), alt))


def _lower(tag: str) -> str:
    found = _HEADING.fullmatch(tag)
    return f"h{min(int(found[1]) + SHIFT, 6)}" if found else tag
