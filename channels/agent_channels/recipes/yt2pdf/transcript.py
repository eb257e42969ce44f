"""What is said in a video, with the times at which it is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from agent_channels.core.text.sanitize import CAPS, attribute
from agent_channels.core.text.video_links import link_to
from agent_channels.recipes.yt2pdf.video import Video, clock

__all__ = ["Line", "Source", "VideoTranscript", "from_marks"]

Source = Literal["manual captions", "automatic captions", "transcription"]
# A paragraph ends with the first sentence that ends after so many seconds, and at the latest after so many more.
PARAGRAPH_S, LONGEST_S = 30.0, 75.0
_SENTENCE_END = re.compile(r"[.!?…。！？؟][\"'”’」』)]*$")
# How programs mark times: `[01:02:03]`, `[00:01.500 --> 00:04.000]`.
_MARK = re.compile(r"\[(?:(\d{1,2}):)?(\d{1,3}):(\d{2})(?:[.,]\d{1,3})?(?:\s*-->\s*[\d:.,]+)?\]")


class Line(NamedTuple):
    """Words, and the second at which they begin."""

    start_s: float
    text: str


@dataclass(frozen=True, slots=True)
class VideoTranscript:
    """What is said, in the order of time. `timed`: every line has its time; without, there is one line, at 0."""

    language: str
    source: Source
    timed: bool
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, language: str, source: Source, lines: Iterable[tuple[float, str]], *, timed: bool = True) -> Self:
        """Return a transcript of harmless lines without empty ones."""
        plain = ((start, attribute(text, CAPS["content"] * 10)) for start, text in lines)
        return cls(attribute(language, 35), source, timed, tuple(Line(start, text) for start, text in plain if text))

    def paragraphs(self) -> Iterator[Line]:
        """Yield the lines in pieces of about half a minute that end with a sentence where that is possible."""
        begun, words = 0.0, list[str]()
        for line in self.lines:
            if words and (line.start_s - begun >= LONGEST_S or (line.start_s - begun >= PARAGRAPH_S and _ends(words))):
                yield Line(begun, " ".join(words))
                words = []
            if not words:
                begun = line.start_s
            words.append(line.text)
        if words:
            yield Line(begun, " ".join(words))

    def to_markdown(self, video: Video) -> str:
        """Return it for people and the agent to read, each paragraph behind a link to its moment."""
        head = f"# {video.title}\n\n{video.channel} · {video.length} · {video.link} · {self.language}, {self.source}\n"
        parts = [head]
        for start_s, text in self.paragraphs():
            mark = f"[{clock(start_s)}]({link_to(video.id, start_s)}) " if self.timed else ""
            parts.append(f"\n{mark}{text}\n")
        return "".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return it for the cache."""
        return {"language": self.language, "source": self.source, "timed": self.timed, "lines": self.lines}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        lines = tuple(Line(float(start), str(text)) for start, text in found["lines"])
        return cls(str(found["language"]), found["source"], bool(found["timed"]), lines)


def from_marks(text: str, language: str) -> VideoTranscript:
    """Return what a program wrote down: with times where it printed marks, otherwise as one line."""
    lines, start, end = list[tuple[float, str]](), 0.0, 0
    for mark in _MARK.finditer(text):
        lines.append((start, text[end : mark.start()]))
        hours, minutes, seconds = (int(part or 0) for part in mark.groups())
        start, end = hours * 3600.0 + minutes * 60 + seconds, mark.end()
    lines.append((start, text[end:]))
    return VideoTranscript.of(language, "transcription", lines, timed=len(lines) > 1)


def _ends(words: list[str]) -> bool:
    return _SENTENCE_END.search(words[-1]) is not None
