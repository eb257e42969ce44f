"""PDFs of summaries: every word in every script, links and outline alive, nothing fetched, nothing run."""

from __future__ import annotations

import ctypes
import dataclasses
import io
import re
import socket
import unicodedata
from collections.abc import Iterator

import pypdfium2
import pytest
from PIL import Image

from agent_channels.core.errors import Refused
from agent_channels.recipes.yt2pdf.pdf import Pdf, render_pdf, to_html
from agent_channels.recipes.yt2pdf.picture import fetch_picture, redrawn
from agent_channels.recipes.yt2pdf.size import MARKDOWN_MAX
from agent_channels.recipes.yt2pdf.video import Video
from summaries import ID, summary
from video_site import SiteVideo, VideoSite, picture

SCRIPTS = {
    "en": "# A talk: “bread”\n\nIt rises by itself. Nobody kneads – not once.\n\n- first **point** of *two*\n- `code`",
    "zh-TW": "# 談麵包\n\n麵團會自己發酵，「時間」最重要。誰也不必揉麵！\n\n- 第一點：**水**\n- 第二點：鹽（2%）",
    "ar": "# عن الخبز\n\nيرتفع العجين وحده، والوقت هو المهم.\n\n- النقطة الأولى\n- النقطة الثانية",
    "he": "# על הלחם\n\nהבצק תופח לבד, והזמן הוא העיקר.\n\n- נקודה ראשונה\n- נקודה שנייה",
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whoever opens a connection fails the test."""
    if "site" in request.fixturenames:
        return

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def read(made: Pdf) -> str:
    """All the text of a document, as a reader of PDFs copies it."""
    with pypdfium2.PdfDocument(made.data) as document:
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(text.get_text_bounded())
            text.close()
            page.close()
    return "\n".join(texts)


def words(text: str) -> list[str]:
    """Words, and in Chinese characters, without punctuation and the marks of Markdown."""
    return re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_word_can_be_read_again(video: Video, script: str) -> None:
    """In four scripts, of which two are written from right to left: the same words in the same order."""
    language = "zh-TW" if script == "zh-TW" else "en"
    made = render_pdf(video, language, SCRIPTS[script], None)
    facts = words(f"{video.channel} {video.length} {video.uploaded} {video.link}")
    found = words(read(made))
    title, *rest = SCRIPTS[script].split("\n\n", 1)
    # The two letters of this ligature are one glyph, which pdfium gives from left to right.
    expected = [word.replace("لأ", "أل") for word in (*words(title), *facts, *words(rest[0]))]
    assert found[: len(expected)] == expected
    # The number of the page.
    assert found[len(expected) :] == ["1", "1"]


def drawn(made: Pdf, number: int = 0) -> Image.Image:
    with pypdfium2.PdfDocument(made.data) as document:
        page = document[number]
        image: Image.Image = page.render(scale=1.0).to_pil()
        page.close()
    return image


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_a_font(video: Video, script: str) -> None:
    """No glyph is missing: where a font has none, the renderer names glyph 0, which extracts as nothing or as boxes."""
    made = render_pdf(video, "zh-TW" if script == "zh-TW" else "en", SCRIPTS[script], None)
    assert "\ufffd" not in read(made)
    ink = drawn(made).convert("L").point(lambda shade: 255 if shade < 128 else 0).getbbox()
    assert ink is not None
    # Text of the right-to-left scripts begins at the right margin.
    with pypdfium2.PdfDocument(made.data) as document:
        page = document[0]
        text = page.get_textpage()
        lefts = [text.get_charbox(index)[0] for index in range(12)]
        width = page.get_width()
        text.close()
        page.close()
    assert (max(lefts) > width * 0.6) is (script in {"ar", "he"})


def test_emoji_are_drawn_in_colour(video: Video) -> None:
    """By the font for them, and digits beside them by the font of the text."""
    plain = drawn(render_pdf(video, "en", "# x\n\n12 loaves. Two.", None))
    emoji = drawn(render_pdf(video, "en", "# x\n\n12 loaves 🍞🚀. Two.", None))

    def colours(image: Image.Image) -> int:
        area = image.crop((0, 90, image.width, 200)).convert("HSV").getchannel("S")
        return sum(area.histogram()[120:])

    assert colours(emoji) > colours(plain) + 30
    made = render_pdf(video, "en", "# x\n\n1 2 3 🍞 4 5 6.", None)
    assert "1 2 3 " in read(made)
    assert " 4 5 6." in read(made)


def test_columns_are_aligned_as_they_are_written(video: Video) -> None:
    """Left, in the middle, right, head and cells; no other style comes through."""
    table = "| a | b | c |\n|:--|:-:|--:|\n| X | Y | Z |\n"
    cells = to_html(table)
    for name, tag in (("a", "th"), ("X", "td")):
        assert f'<{tag} align="left">{name}</{tag}>' in cells
    assert '<td align="center">Y</td>' in cells
    assert '<td align="right">Z</td>' in cells
    assert "style" not in cells
    with pypdfium2.PdfDocument(render_pdf(video, "en", f"# x\n\nOne. Two.\n\n{table}", None).data) as document:
        page = document[0]
        text = page.get_textpage()
        whole = text.get_text_range()
        left, middle, right = (text.get_charbox(whole.rindex(cell))[0] for cell in "XYZ")
        text.close()
        width = page.get_width()
        page.close()
    assert left < width * 0.2
    assert width * 0.45 < middle < width * 0.55
    assert right > width * 0.8


def links(made: Pdf) -> Iterator[str]:
    raw = pypdfium2.raw
    with pypdfium2.PdfDocument(made.data) as document:
        for page in document:
            start, link = ctypes.c_int(0), raw.FPDF_LINK()
            while raw.FPDFLink_Enumerate(page, start, link):
                action = raw.FPDFLink_GetAction(link)
                size = raw.FPDFAction_GetURIPath(document, action, None, 0)
                if size:
                    buffer = ctypes.create_string_buffer(size)
                    raw.FPDFAction_GetURIPath(document, action, buffer, size)
                    yield buffer.value.decode()
            page.close()


def test_links_and_outline_are_alive(video: Video) -> None:
    """Each time leads to its moment, bare addresses are links, headings are the outline, pages are numbered."""
    text = summary("en").replace("## Key points", "## Key points\n\nSee https://example.org/a?b=1&c=2.\n\n### Inside")
    made = render_pdf(video, "en", text + "\n\n".join(f"paragraph {n}" for n in range(120)), None)
    found = list(links(made))
    assert {f"https://youtu.be/{ID}", f"https://youtu.be/{ID}?t=62", f"https://youtu.be/{ID}?t=599"} <= set(found)
    assert "https://example.org/a?b=1&c=2" in found
    with pypdfium2.PdfDocument(made.data) as document:
        outline = [(item.level, item.get_title()) for item in document.get_toc()]
        assert len(document) == made.pages > 1
        assert document.get_metadata_dict()["Title"] == video.title
    assert outline == [(0, "How bread rises"), (1, "Key points"), (2, "Inside")]
    assert f"2 / {made.pages}" in read(made)


HOSTILE = """# <script>alert(1)</script>

![x](http://127.0.0.1:9/pixel.png) ![y](file:///etc/passwd) [f](file:///etc/passwd) [j](javascript:alert(1))
[d](data:text/html;base64,PHNjcmlwdD4=) <img src="http://127.0.0.1:9/a.png"> <link rel=attachment href=file:///etc/passwd>
<style>@import url(http://127.0.0.1:9/x.css); body { background: url(file:///etc/passwd) }</style>
<iframe src="http://127.0.0.1:9/"></iframe> <a rel="attachment" href="file:///etc/passwd">a</a>
<svg><image href="file:///etc/passwd"/></svg> </style></head><body onload=x> &#60;script&#62;

```html" onmouseover="x
<b>
```

[x]: file:///etc/passwd
"""


def test_nothing_is_fetched_and_no_file_read(video: Video) -> None:
    """Pictures, styles, attachments, frames: what a stranger's text asks for stays text, and no file is inside."""
    hostile = dataclasses.replace(video, title='"><img src=file:///etc/passwd>', channel="</p><script>x</script>")
    made = render_pdf(hostile, "en", HOSTILE, None)
    assert "root:" not in read(made)
    assert b"/EmbeddedFile" not in made.data
    assert b"/JavaScript" not in made.data
    assert {link.partition(":")[0] for link in links(made)} <= {"https", "http"}
    with pypdfium2.PdfDocument(made.data) as document:
        assert document.count_attachments() == 0


def test_the_html_is_harmless() -> None:
    """A few tags, and no attribute but addresses of the web, numbers of lists and directions."""
    found = to_html(HOSTILE + "\n3. three\n\n<b onclick=x>")
    assert set(re.findall(r"<([a-z0-9]+)", found)) <= {"h1", "p", "a", "pre", "code", "ol", "li"}
    assert set(re.findall(r"\s([a-z]+)=\"", re.sub(r">[^<]*<", "><", found))) <= {"href", "start", "dir"}
    assert not re.search(r'<a [^>]*href="(?!https?:|mailto:)', found)


def test_a_page_that_asks_for_something_is_refused_it(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the sanitising let it through, the renderer would open neither address nor file."""
    import agent_channels.recipes.yt2pdf.pdf as module

    asking = '<img src="file:///etc/passwd"><img src="http://127.0.0.1:9/x.png"><link rel=stylesheet href="http://127.0.0.1:9/">'
    monkeypatch.setattr(module, "to_html", lambda _: f"<h1>x</h1>{asking}<p>after</p>")
    assert "after" in read(render_pdf(video, "en", "x", None))


def test_a_title_is_there_without_one(video: Video) -> None:
    """A summary without a title gets the video's."""
    assert read(render_pdf(video, "en", "Just text.", None)).startswith(video.title)


def test_too_much_is_refused(video: Video) -> None:
    """What is no summary is not laid out for minutes."""
    with pytest.raises(Refused, match="100,001"):
        render_pdf(video, "en", "x" * (MARKDOWN_MAX + 1), None)


# ---- the picture


def test_the_picture_is_drawn_anew(video: Video) -> None:
    """Small, as a JPEG, without what else was in the file; it stands on the first page."""
    out = io.BytesIO()
    Image.new("RGB", (4000, 3000), "red").save(out, "PNG")
    made = redrawn(out.getvalue() + b"<script>")
    assert made is not None
    assert made[:2] == b"\xff\xd8"
    assert b"<script>" not in made
    with Image.open(io.BytesIO(made)) as image:
        assert max(image.size) <= 1120
    page = drawn(render_pdf(video, "en", summary("en"), made))
    red, green, _ = page.convert("RGB").getpixel((page.width // 2, 100))  # type: ignore[misc]
    assert (red > 200, green < 60) == (True, True)


@pytest.mark.parametrize(
    "data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"\0" * 50, b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_none(data: bytes) -> None:
    """Other formats, and half a file, are left out."""
    assert redrawn(data) is None


def test_a_bomb_is_not_unpacked() -> None:
    """A picture of a few bytes and very many pixels is left out before it is drawn."""
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    assert len(out.getvalue()) < 20_000
    assert redrawn(out.getvalue()) is None


def test_the_picture_comes_from_the_site(site: VideoSite, video: Video) -> None:
    """From its own servers over TLS, and from nowhere else, whatever the metadata says."""
    site.add(SiteVideo(ID, picture=picture()))
    address = f"https://i.ytimg.com/vi/{ID}/hq.jpg"
    assert fetch_picture(dataclasses.replace(video, picture=address)) is not None
    site.asked.clear()
    for other in ("http://i.ytimg.com/x.jpg", "https://i.ytimg.com.evil.example/x.jpg", "https://127.0.0.1/x.jpg",
                  "file:///etc/passwd", "https://i.ytimg.com:8443/x.jpg", ""):  # fmt: skip
        assert fetch_picture(dataclasses.replace(video, picture=other)) is None
    assert site.asked == []
    site.add(SiteVideo(ID))
    assert fetch_picture(dataclasses.replace(video, picture=address)) is None
