"""Escaped SVG elements, and the frame every chart is drawn in."""

from __future__ import annotations

import functools
import re

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# XML 1.0 has no place for these, escaped or not; one in an operator's name would break the page.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNUSUAL = re.compile(f"[&<>\"']|{_NOT_XML.pattern}")
"""What must be escaped or dropped; a page draws thousands of elements, few of which hold any."""
_CHARACTER_WIDTH = 0.52
"""Mean advance of a system sans serif, in em; labels are cut by it, so it errs on the wide side."""


def node(name: str, *children: str, **attributes: str | float | None) -> SafeString:
    """Return one element with everything escaped that is not already safe.

    A trailing underscore is dropped from an attribute's name and other underscores become hyphens
    (`class_`, `stroke_dasharray`); an attribute of None is left out.
    """
    written = "".join(
        [
            f' {_attribute(key)}="{_plain(value)}"'
            for key, value in attributes.items()
            if value is not None
        ]
    )
    inner = "".join([escaped(child) for child in children])
    return SafeString(f"<{name}{written}>{inner}</{name}>")


@functools.cache
def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def escaped(text: str) -> str:
    """Return text as an element may hold it; what is safe already stays as it is."""
    if isinstance(text, SafeString) or not _UNUSUAL.search(text):
        return text
    return escape(_NOT_XML.sub("", text))


def join(parts: list[SafeString]) -> SafeString:
    """Concatenate safe parts into one."""
    return mark_safe("".join(parts))  # noqa: S308 - every part is safe already


def clean(text: str) -> str:
    """Drop the characters that XML forbids, keeping safe strings safe."""
    if isinstance(text, SafeString):
        return text
    return _NOT_XML.sub("", text)


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> SafeString:
    """Return a text element; `anchor` is start, middle or end."""
    return node(
        "text",
        content,
        x=x,
        y=y,
        class_=class_ or None,
        text_anchor=None if anchor == "start" else anchor,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> SafeString:
    """Return a straight line."""
    return node("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(
    x: float, y: float, width: float, height: float, class_: str, rx: float | None = None
) -> SafeString:
    """Return a rectangle, never of negative size."""
    return node(
        "rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), rx=rx, class_=class_
    )


def link(href: str, *children: str) -> SafeString:
    """Return the children inside a link, or as they are where there is nowhere to go.

    The link is out of the tab order: the table below every chart has the same one.
    """
    if not href:
        return join([SafeString(escaped(child)) for child in children])
    return node("a", *children, href=href, tabindex="-1")


def hit(tip: str, *children: str) -> SafeString:
    """Group marks that share one tooltip; `<title>` serves where there is no script."""
    return node("g", node("title", tip), *children, class_="hit")


def width_of(content: str, size: float) -> float:
    """Estimate the width of a label in user units, at a font size in user units."""
    return len(content) * _CHARACTER_WIDTH * size


def fit(content: str, width: float, size: float) -> str:
    """Cut a label to a width, in user units, at a font size, marking the cut by an ellipsis."""
    room = max(int(width / (_CHARACTER_WIDTH * size)), 2)
    return content if len(content) <= room else content[: room - 1] + "…"


def frame(
    layout: str,
    width: float,
    height: float,
    *,
    title: str,
    description: str,
    body: list[SafeString],
) -> SafeString:
    """Return a whole `<svg>` named by its title and description.

    Args:
        layout: `wide` or `narrow`; the style sheet shows one of the two.
        width: Of the view box, in CSS pixels at natural size.
        height: As the width.
        title: Names the chart to a screen reader.
        description: Says what the chart shows, in a sentence.
        body: Elements in drawing order.
    """
    # What is an image has no parts for assistive technology, so it must not hold links.
    linked = any("<a " in each for each in body)
    return node(
        "svg",
        node("title", title),
        node("desc", description),
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        class_=f"plot {layout}",
        role="group" if linked else "img",
        aria_label=f"{title}. {description}",
        preserveAspectRatio="xMidYMid meet",
    )


def _plain(value: str | float) -> str:
    if isinstance(value, str):
        # What is safe as an element is not yet safe between quotes.
        return escape(_NOT_XML.sub("", value)) if _UNUSUAL.search(value) else value
    return f"{value:.1f}".removesuffix(".0")
