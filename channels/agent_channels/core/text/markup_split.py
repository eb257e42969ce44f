"""Cuts a long text into parts that a platform accepts.

A text is a run of `Fragment`s: as much source as must stay together, with the marks it opens or closes. Cutting
prefers a paragraph's end, then a line's, a sentence's, a word's; marks that are open at a cut are closed there and
opened again in the next part, so a code fence never loses its end. Lengths are in the platform's unit, never of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from agent_channels.core.text.units import Unit, graphemes, length

__all__ = ["Fragment", "Mark", "pack", "plain_pieces", "split_text"]


_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<ticks>`{3,64}(?!`)|~{3,64}(?!~))(?P<info>[^\n]*)$")
# How good it is to cut after a piece.
ANYWHERE, WORD, SENTENCE, LINE, PARAGRAPH = range(1, 6)
_TICKS = frozenset("`~")
FENCE_MAX = 200
_SENTENCE_ENDS = frozenset(".!?…。！？")


@dataclass(frozen=True, slots=True)
class Mark:
    """A formatting mark that stays open over a cut: what ends it, and what begins it again."""

    close: str
    reopen: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Source that is never cut inside. `cut` is how good a cut behind it is; 0: no cut there."""

    text: str
    cut: int = ANYWHERE
    opens: Mark | None = None
    closes: bool = False


def split_text(text: str, limit: int, unit: Unit) -> list[str]:
    """Parts of a text whose fenced code blocks (``` or ~~~) stay closed in each part."""
    if length(text, unit) <= limit:
        return [text]
    return pack(plain_pieces(text, min(FENCE_MAX, limit // 4)), limit, unit)


def pack(pieces: Iterable[Fragment], limit: int, unit: Unit) -> list[str]:
    """Fills parts of at most `limit` units; white space at a cut is dropped, nothing else."""
    parts: list[str] = []
    packer = _Packer(limit, unit)
    for piece in pieces:
        for fitting in packer.fit(piece):
            while not packer.takes(fitting):
                parts.append(packer.flush())
            packer.add(fitting)
    parts.append(packer.end())
    return [part for part in parts if part.strip()]


class _Packer:
    def __init__(self, limit: int, unit: Unit) -> None:
        self.limit, self.unit = limit, unit
        self.pieces: list[Fragment] = []
        self.used = 0
        # Marks open at the start of this part, and open now.
        self.carried: list[Mark] = []
        self.marks: list[Mark] = []

    def fit(self, piece: Fragment) -> Iterator[Fragment]:
        """A piece that no part could hold is cut into graphemes; a mark that would fill every part is not repeated."""
        room = self.limit // 2
        if piece.opens and sum(_weight(mark, self.unit) for mark in [*self.marks, piece.opens]) > room:
            piece = replace(piece, opens=Mark("", ""))
        if length(piece.text, self.unit) <= room:
            yield piece
            return
        bits = list(graphemes(piece.text))
        # Where no cut is wanted behind the piece, none is wanted in the white space at its end.
        held = len(bits) - (0 if piece.cut else len(piece.text) - len(piece.text.rstrip()) + 1)
        for index, bit in enumerate(bits):
            last = index == len(bits) - 1
            cut = piece.cut if last else 0 if index >= held or bits[index + 1] in _TICKS else ANYWHERE
            yield Fragment(bit, cut, piece.opens if last else None, piece.closes and last)

    def takes(self, piece: Fragment) -> bool:
        closing = _cost(_after(self.marks, piece), self.unit)
        return self.used + length(piece.text, self.unit) + closing <= self.limit or not self.pieces

    def add(self, piece: Fragment) -> None:
        if not self.pieces and not self.marks and not piece.text.strip() and not piece.opens:
            return
        self.pieces.append(piece)
        self.used += length(piece.text, self.unit)
        self.marks = _after(self.marks, piece)

    def flush(self) -> str:
        """Ends a part at the best place in its second half, and starts the next with what came after that place."""
        cut = self._best()
        kept, rest = self.pieces[:cut], self.pieces[cut:]
        open_marks = list(self.carried)
        for piece in kept:
            open_marks = _after(open_marks, piece)
        body = "".join(piece.text for piece in kept)
        part = self._head() + (body if open_marks else body.rstrip()) + _closing(open_marks, body)
        self.carried, self.marks, self.pieces = open_marks, list(open_marks), []
        self.used = length(self._head(), self.unit)
        for piece in rest:
            self.add(piece)
        return part

    def end(self) -> str:
        """The last part; what the text never closed is closed here too, unless there is only one part."""
        if self.carried and not any(piece.text.strip() and not piece.closes for piece in self.pieces):
            return ""
        body = "".join(piece.text for piece in self.pieces).rstrip()
        return self._head() + body + _closing(self.marks, body)

    def _head(self) -> str:
        return "".join(mark.reopen for mark in self.carried)

    def _best(self) -> int:
        seen, best, score = 0, len(self.pieces), 0
        for index, piece in enumerate(self.pieces, 1):
            seen += length(piece.text, self.unit)
            # A paragraph's end is worth a part that is only half full; a word's end is not worth much.
            worth = piece.cut and piece.cut + (PARAGRAPH if seen * 2 >= self.used else 0)
            if worth and worth >= score:
                best, score = index, worth
        # An end belongs to what it ends, a beginning to what it begins: neither leaves an empty pair behind.
        while best < len(self.pieces) and self.pieces[best].closes:
            best += 1
        while best > 1 and self.pieces[best - 1].opens:
            best -= 1
        return best


def _after(marks: Sequence[Mark], piece: Fragment) -> list[Mark]:
    after = list(marks)
    if piece.closes and after:
        after.pop()
    if piece.opens:
        after.append(piece.opens)
    return after


def _cost(marks: Sequence[Mark], unit: Unit) -> int:
    # One more for the line break that may have to stand before a closing fence.
    return sum(length(mark.close, unit) + 1 for mark in marks)


def _weight(mark: Mark, unit: Unit) -> int:
    return length(mark.close + mark.reopen, unit) + 1


def _closing(marks: Sequence[Mark], body: str) -> str:
    closing = "".join(mark.close for mark in reversed(marks))
    return closing.removeprefix("\n") if body.endswith("\n") else closing


def plain_pieces(text: str, fence_max: int = FENCE_MAX) -> Iterator[Fragment]:
    """Pieces of a text without markup but for fenced code blocks, which are opened and closed as marks.

    An opening line of more than `fence_max` characters is not repeated in each part, only its fence is.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    fence: str | None = None
    for index, line in enumerate(lines):
        bare = line.rstrip("\n")
        match = _FENCE.match(bare)
        if fence is None and match and "`" not in match["info"]:
            fence = match["ticks"]
            if len(bare) <= fence_max:
                yield Fragment(line, 0, opens=Mark("\n" + fence, bare + "\n"))
            else:
                yield Fragment(match["indent"] + fence, 0, opens=Mark("\n" + fence, fence + "\n"))
                yield from _words(line[match.end("ticks") :], LINE)
        elif fence is not None and match and match["ticks"].startswith(fence) and not match["info"].strip():
            fence = None
            yield Fragment(line, LINE, closes=True)
        elif fence is not None:
            yield from _words(line, LINE)
        elif match:
            # Code within a line: cut before its end, its beginning would become a fence.
            end = line.rindex("`") + 1
            yield Fragment(line[:end], WORD)
            yield from _words(line[end:], LINE)
        else:
            blank_next = index + 1 < len(lines) and not lines[index + 1].strip()
            yield from _words(line, PARAGRAPH if blank_next or not bare.strip() else LINE)


def _words(line: str, last: int) -> Iterator[Fragment]:
    words = re.findall(r"\s*\S+\s*|\s+", line)
    for index, word in enumerate(words):
        if index == len(words) - 1:
            yield Fragment(word, last)
        elif words[index + 1].startswith(("```", "~~~")):
            # At the start of a part these would become a fence.
            yield Fragment(word, 0)
        else:
            yield Fragment(word, SENTENCE if word.rstrip()[-1:] in _SENTENCE_ENDS else WORD)
