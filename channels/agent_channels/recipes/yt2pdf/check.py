"""What is wrong with a summary: its form, time links, length and language. The agent repairs it by this list."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from markdown_it.token import Token

from agent_channels.core.text.markdown_parser import parser
from agent_channels.core.text.sanitize import scrub
from agent_channels.core.text.video_links import link_to, link_video
from agent_channels.recipes.yt2pdf.size import oversized
from agent_channels.recipes.yt2pdf.video import Video, clock

__all__ = ["Checked", "Problem", "check_summary", "lead_of"]

ProblemKind = Literal["title", "lead", "words", "link", "tags", "html", "simplified", "language", "size"]
# How many words a summary of one minute has, at least and at most; and whatever the length, the fewest and the most.
WORDS_A_MINUTE, FEWEST, MOST = (8.0, 40.0), (80, 700), (350, 4000)
# A text in Chinese has so many characters for each word of English.
HAN_A_WORD = 1.6
TAGS = (3, 8)
LINKS_MIN = 3
PROBLEMS_MAX = 40
# In Traditional Chinese too, of another meaning, and seldom; the words around them tell.
_RARELY_RIGHT = frozenset("机后云几划")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+[」』”’）]*")
_HTML = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>")
_TAG_LINE = re.compile(r"(?:tags|標籤)\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"#[^\W_](?:[\w-]*\w)?")
_SECONDS = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s?)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What to repair. `line` counts from 1; 0 is the whole text."""

    kind: ProblemKind
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found; `words` are words, and in Chinese characters."""

    words: int
    words_min: int
    words_max: int
    links: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"passed": not self.problems, **asdict(self)}


class _Block(NamedTuple):
    """A paragraph, heading, list item or cell: where it begins, as what, its text, and its links (address, words)."""

    line: int
    kind: str
    text: str
    links: tuple[tuple[str, str], ...]


def check_summary(video: Video, language: str, markdown: str, *, timed: bool = True) -> Checked:
    """Return what is wrong with a summary. `timed`: its transcript has times that the summary can link to."""
    minutes, scale = video.length_s / 60, HAN_A_WORD if language == "zh-TW" else 1.0
    least = int(scale * min(max(FEWEST[0], WORDS_A_MINUTE[0] * minutes), FEWEST[1]))
    most = int(scale * min(max(MOST[0], WORDS_A_MINUTE[1] * minutes), MOST[1]))
    if (too_large := oversized(markdown)) is not None:
        # Reading what is that large takes too long as well.
        return Checked(0, least, most, 0, (Problem("size", *too_large),))
    blocks = list(_blocks(markdown))
    problems = [
        *_form(blocks),
        *_links(video, blocks, timed=timed),
        *_tags(blocks),
        *_html(blocks),
        *(_simplified(blocks) if language == "zh-TW" else ()),
        *_languages(language, blocks),
    ]
    counted = _count(language, blocks)
    unit = "Chinese characters" if language == "zh-TW" else "words"
    if not least <= counted <= most:
        said = f"it has {counted} {unit}; a video of {video.length} takes {least} to {most}"
        problems.insert(0, Problem("words", 0, said))
    links = sum(len(block.links) for block in blocks)
    return Checked(counted, least, most, links, tuple(problems[:PROBLEMS_MAX]))


def lead_of(markdown: str) -> str:
    """Return the text of the first paragraph: the two sentences that people read in the chat."""
    return next((block.text for block in _blocks(markdown) if block.kind == "paragraph"), "")


# ---- one function a kind of problem


def _form(blocks: Sequence[_Block]) -> Iterator[Problem]:
    titles = [block for block in blocks if block.kind == "h1"]
    if not blocks or blocks[0].kind != "h1":
        yield Problem("title", 1, "the first line has to be the title, as `# Title`")
    for more in titles[1:]:
        yield Problem("title", more.line, "there is one `# Title`; parts begin with `##`")
    lead = next((block for block in blocks if block.kind == "paragraph"), None)
    sentences = len(_SENTENCE_END.findall(lead.text)) if lead else 0
    if lead is None or blocks.index(lead) != (1 if titles else 0) or sentences != 2:
        line = lead.line if lead else 1
        yield Problem("lead", line, f"below the title there have to be two sentences in one paragraph, not {sentences}")


def _links(video: Video, blocks: Sequence[_Block], *, timed: bool) -> Iterator[Problem]:
    times = 0
    for block in blocks:
        for address, words in block.links:
            target = link_video(address)
            if target is None:
                continue
            at = _time_in(address)
            if target != video.id:
                yield Problem("link", block.line, f"{address} leads to another video; this one is {video.link}")
            elif at is not None and at >= max(video.length_s, 1):
                yield Problem("link", block.line, f"{address} lies behind the end of the video, {video.length}")
            elif at is not None and re.fullmatch(r"[\d:]{1,12}", words) and words not in _clocks(at):
                yield Problem(
                    "link", block.line, f"[{words}] leads to {clock(at)}; the link is {link_to(video.id, _read(words))}"
                )
            times += at is not None
    if timed and times < LINKS_MIN:
        said = f"there are {times} links to moments; put at least {LINKS_MIN}, as [1:02]({link_to(video.id, 62)})"
        yield Problem("link", 0, said)


def _tags(blocks: Sequence[_Block]) -> Iterator[Problem]:
    found = [(block, match[1]) for block in blocks if (match := _TAG_LINE.fullmatch(block.text))]
    if not found or found[-1][0] is not blocks[-1]:
        yield Problem("tags", 0, "the last line has to be the tags, as `Tags: #one #two #three`")
        return
    block, listed = found[-1]
    words = listed.split()
    if wrong := [word for word in words if not _TAG.fullmatch(word)]:
        yield Problem(
            "tags", block.line, f"{wrong[0]!r} is not a tag: # and letters, digits or hyphens, without spaces"
        )
    elif len({word.casefold() for word in words}) != len(words) or not TAGS[0] <= len(words) <= TAGS[1]:
        yield Problem(
            "tags", block.line, f"there are {len(words)} tags; {TAGS[0]} to {TAGS[1]} different ones are right"
        )


def _html(blocks: Sequence[_Block]) -> Iterator[Problem]:
    for block in blocks:
        if block.kind != "code" and (tag := _HTML.search(block.text)):
            yield Problem("html", block.line, f"{tag[0][:60]} is HTML, which is shown as it stands; write Markdown")


def _simplified(blocks: Sequence[_Block]) -> Iterator[Problem]:
    for block in blocks:
        by_line: dict[int, dict[str, str]] = {}
        for line, wrong, right in _simplified_in(block.text):
            by_line.setdefault(block.line + line, {})[wrong] = right
        for line, found in by_line.items():
            listed = ", ".join(f"{right} instead of {wrong}" for wrong, right in found.items())
            yield Problem("simplified", line, f"simplified characters; write {listed}")


def _languages(language: str, blocks: Sequence[_Block]) -> Iterator[Problem]:
    """Yield the paragraphs in the other language; names and quotations of a few words stay as they are."""
    for block in blocks:
        han, latin = len(_HAN.findall(block.text)), len(_LATIN_WORD.findall(block.text))
        if block.kind == "code":
            continue
        if language == "zh-TW" and latin >= 8 and han < latin:
            yield Problem("language", block.line, "this part is in English; the text is to be in Traditional Chinese")
        elif language != "zh-TW" and han >= 8 and latin < han:
            yield Problem("language", block.line, "this part is in Chinese; the text is to be in English")


# ---- reading


def _blocks(markdown: str) -> Iterator[_Block]:
    opened = ""
    for token in parser().parse(scrub(markdown)):
        if token.type.endswith("_open"):
            opened = token.tag
        elif token.type in {"fence", "code_block"}:
            yield _Block((token.map or [0])[0] + 1, "code", token.content, ())
        elif token.type == "inline":
            kind = "paragraph" if opened == "p" and token.level == 1 else opened
            yield _Block((token.map or [0])[0] + 1, kind, *_words(token.children or ()))


def _words(tokens: Sequence[Token]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the text of a block, and its links."""
    text, links, begun = "", list[tuple[str, str]](), 0
    address = ""
    for token in tokens:
        match token.type:
            case "link_open":
                address, begun = str(token.attrGet("href") or ""), len(text)
            case "link_close":
                links.append((address, text[begun:].strip()))
            case "address":
                links.append((token.content, token.content))
                text += token.content
            case "softbreak" | "hardbreak":
                text += "\n"
            case _:
                text += token.content
    return text, tuple(links)


def _count(language: str, blocks: Sequence[_Block]) -> int:
    text = " ".join(block.text for block in blocks)
    return len(_HAN.findall(text)) if language == "zh-TW" else len(_WORD.findall(text))


def _time_in(address: str) -> int | None:
    """Return the second that a link leads to: `t=62`, `t=62s`, `t=1m2s`; None if it leads to no moment."""
    parts = urlsplit(address)
    given = parse_qs(parts.query).get("t") or parse_qs(parts.query).get("start") or parse_qs(parts.fragment).get("t")
    match = _SECONDS.fullmatch(given[0]) if given and given[0] else None
    return (
        None
        if match is None
        else sum(int(n or 0) * size for n, size in zip(match.groups(), (3600, 60, 1), strict=True))
    )


def _clocks(at: int) -> set[str]:
    """Return how a moment may be written: with or without hours, and with leading zeros."""
    minutes, seconds = divmod(at, 60)
    hours, rest = divmod(minutes, 60)
    plain = {f"{minutes}:{seconds:02}", f"{minutes:02}:{seconds:02}", f"{hours}:{rest:02}:{seconds:02}"}
    return plain | {f"{hours:02}:{rest:02}:{seconds:02}"}


def _read(words: str) -> float:
    total = 0
    for part in words.split(":"):
        total = total * 60 + int(part or 0)
    return total


@cache
def _converter(name: str) -> Any:
    return importlib.import_module("opencc").OpenCC(name)


def _simplified_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the simplified characters of a text: the line, counted from 0, the character, and what Taiwan writes.

    Which of several that is, the words around it tell: the text is made simplified and Traditional again, as a whole.
    """
    simplified: str = _converter("t2s").convert(text)
    for index, (wrong, in_simplified, right) in enumerate(
        zip(text, simplified, _converter("s2tw").convert(simplified), strict=False)
    ):
        if wrong == in_simplified != right and (wrong in _RARELY_RIGHT or not _is_in_big5(wrong)):
            yield text.count("\n", 0, index), wrong, right


def _is_in_big5(character: str) -> bool:
    """Return whether a character is a Traditional one too, perhaps of another meaning."""
    try:
        character.encode("big5")
    except UnicodeEncodeError:
        return False
    return True
