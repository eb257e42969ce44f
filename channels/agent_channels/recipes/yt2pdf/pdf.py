"""Render a summary as a PDF: Markdown to sanitised HTML to pages, without fetching anything.

Titles and captions are written by strangers, and the agent reads them before it writes the summary. So the HTML is
reduced to a few tags and the addresses of links, and the renderer cannot open any URL or file.
"""

from __future__ import annotations

import base64
import html
import importlib
import unicodedata
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from agent_channels.core.doctor.fonts import LIBRARIES
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.text.markdown_parser import parser
from agent_channels.core.text.sanitize import scrub
from agent_channels.recipes.yt2pdf.size import oversized
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["Pdf", "render_pdf", "to_html"]

_TAGS = {
    "a", "b", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto"}
_BLOCKS = {"paragraph_open", "heading_open", "td_open", "th_open", "list_item_open", "blockquote_open"}
_SANS = {
    "en": '"Noto Sans", "DejaVu Sans", "Noto Sans CJK TC", "Noto Sans Arabic", "Noto Sans Hebrew"',
    "zh-TW": '"Noto Sans CJK TC", "Noto Sans", "DejaVu Sans", "Noto Sans Arabic", "Noto Sans Hebrew"',
}
_STYLE = """
@page { size: A4; margin: 18mm 17mm 20mm;
  @bottom-left { content: string(title, first-except); font: 8pt SANS; color: #777; width: 75%; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 8pt SANS; color: #777; } }
html { font: 10.5pt/1.55 SANS; color: #1a1a1a; }
body { margin: 0; overflow-wrap: break-word; }
img { display: block; width: 100%; max-height: 70mm; object-fit: cover; border-radius: 2mm; margin: 0 0 4mm; }
h1 { font-size: 19pt; line-height: 1.25; margin: 0 0 2mm; string-set: title content(); }
h2 { font-size: 13.5pt; margin: 7mm 0 2mm; border-bottom: 0.3mm solid #ddd; padding-bottom: 1mm; }
h3 { font-size: 11.5pt; margin: 5mm 0 1.5mm; }
h4, h5, h6 { font-size: 10.5pt; margin: 4mm 0 1mm; }
h1, h2, h3, h4, h5, h6 { break-after: avoid; }
.facts { color: #666; font-size: 9pt; margin: 0 0 5mm; }
p, ul, ol, blockquote, pre, table { margin: 0 0 2.6mm; }
p, li { orphans: 2; widows: 2; }
ul, ol { padding-left: 6mm; }
[dir=rtl] { direction: rtl; text-align: right; }
li[dir=rtl] { list-style-position: inside; }
li > p { margin-bottom: 1mm; }
a[href] { color: #0b57d0; text-decoration: none; }
blockquote { border-left: 0.8mm solid #ccc; padding-left: 4mm; color: #444; margin-left: 0; }
code, pre { font-family: "Noto Sans Mono", "DejaVu Sans Mono", "Noto Sans Mono CJK TC", monospace; font-size: 9pt; }
pre { background: #f5f5f5; padding: 2.5mm; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 1mm; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 0.2mm solid #ccc; padding: 1.2mm 2mm; vertical-align: top; text-align: left; }
th { background: #f5f5f5; }
[align=left] { text-align: left; }
[align=center] { text-align: center; }
[align=right] { text-align: right; }
hr { border: 0; border-top: 0.3mm solid #ddd; margin: 5mm 0; }
"""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A document."""

    data: bytes
    pages: int


def render_pdf(video: Video, language: str, markdown: str, picture: bytes | None) -> Pdf:
    """Return the pages of a summary in a language, with the video's picture, a JPEG.

    Raises `Refused` for a text that is no summary, or if the renderer lacks a library of the system.
    """
    if (problem := oversized(markdown)) is not None:
        line, said = problem
        raise Refused(f"line {line}: {said}" if line else said)
    try:
        weasyprint = importlib.import_module("weasyprint")
        urls = importlib.import_module("weasyprint.urls")
    except OSError as error:
        raise Refused(
            sentence(
                "the renderer of PDFs lacks a library of the system ({error}); install it with `{command}`",
                error=str(error).splitlines()[0],
                command=f"apt-get install {' '.join(LIBRARIES.values())}",
            )
        ) from error
    document = weasyprint.HTML(
        string=_page(video, language, markdown, picture),
        # What it may open is written into the page itself: the picture.
        url_fetcher=urls.URLFetcher(allowed_protocols={"data"}, allow_redirects=False),
    ).render()
    return Pdf(document.write_pdf(), len(document.pages))


def to_html(markdown: str) -> str:
    """Return Markdown as harmless HTML: a few tags, and of attributes a link's address, direction and alignment."""
    nh3 = importlib.import_module("nh3")
    tokens = parser().parse(scrub(markdown))
    _mark_directions(tokens)
    _mark_alignments(tokens)
    rendered = _Html().render(tokens, parser().options, {})
    cleaned: str = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        tag_attribute_values={tag: {"dir": {"rtl"}} for tag in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li")}
        | {tag: {"dir": {"rtl"}, "align": {"left", "center", "right"}} for tag in ("td", "th")},
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    return cleaned


def _page(video: Video, language: str, markdown: str, picture: bytes | None) -> str:
    body = to_html(markdown)
    title = "" if "<h1" in body else f"<h1>{html.escape(video.title)}</h1>"
    facts = " · ".join(filter(None, (video.channel, video.length, video.uploaded)))
    shown = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">' if picture else ""
    line = f'<p class="facts">{html.escape(facts)} · <a href="{video.link}">{video.link}</a></p>'
    lang = "zh-Hant-TW" if language == "zh-TW" else language
    head, end, rest = body.partition("</h1>")
    # The facts stand below the title, wherever that comes from.
    content = f"{title}{line}{body}" if title else f"{head}{end}{line}{rest}"
    # The font of emoji is found without being named; named, it would draw digits and spaces too.
    style = _STYLE.replace("SANS", f"{_SANS[language]}, sans-serif")
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{html.escape(video.title)}</title>'
        f'<meta name="author" content="{html.escape(video.channel)}"><style>{style}</style></head>'
        f"<body>{shown}{content}</body></html>"
    )


class _Html(RendererHTML):
    """Our parser's tokens as HTML: those of CommonMark, and bare addresses and spoilers."""

    def address(self, tokens: Sequence[Token], idx: int, _options: Any, _env: MutableMapping[str, Any]) -> str:
        address = html.escape(tokens[idx].content)
        return f'<a href="{address}">{address}</a>'

    def spoiler_open(self, *_: Any) -> str:
        return "<span>"

    def spoiler_close(self, *_: Any) -> str:
        return "</span>"

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        # No picture is fetched: its words stand for it.
        return html.escape(self.renderInlineAsText(tokens[idx].children, options, env))


def _mark_directions(tokens: Sequence[Token]) -> None:
    """Mark the blocks whose first letter is of a script that is written from right to left."""
    opened: list[Token] = []
    for token in tokens:
        if token.type in _BLOCKS:
            opened.append(token)
        elif token.type == "inline":
            if _is_rtl(token.content):
                for block in opened:
                    block.attrSet("dir", "rtl")
            opened = []


def _mark_alignments(tokens: Sequence[Token]) -> None:
    """Turn the style of a table's cell, which is dropped, into an attribute that stays."""
    for token in tokens:
        if token.type in {"td_open", "th_open"} and (style := str(token.attrGet("style") or "")):
            token.attrSet("align", style.removeprefix("text-align:"))


def _is_rtl(text: str) -> bool:
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in {"R", "AL"}:
            return True
        if kind == "L":
            return False
    return False
