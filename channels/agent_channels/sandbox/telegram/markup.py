"""What the parsers of HTML and MarkdownV2 share: a position in the markup, the text so far, and its length."""

from __future__ import annotations

from dataclasses import dataclass

from agent_channels.sandbox.telegram.utf16 import Entity, utf16

__all__ = ["MarkupParser", "OpenMark", "ParseError"]


class ParseError(Exception):
    """The markup is wrong; the message is the text that follows `can't parse entities: `."""


@dataclass
class OpenMark:
    """A tag or mark that is not closed yet.

    `offset` and `start` say where its text begins in the output, in UTF-16 units and in characters; `index` is where
    the mark itself begins in the markup.
    """

    kind: str
    argument: str
    offset: int
    start: int
    index: int


class MarkupParser:
    """Reads `text` from `index`; `out` is the text without markup, `offset` its length in UTF-16 units."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.index = 0
        self.out = ""
        self.offset = 0
        self.open: list[OpenMark] = []
        self.entities: list[Entity] = []

    def put(self, text: str) -> None:
        """Append text to the output."""
        self.out += text
        self.offset += utf16(text)

    def push(self, kind: str, argument: str, index: int) -> None:
        """Open a mark that begins at `index` of the markup; its text begins at the end of the output."""
        self.open.append(OpenMark(kind, argument, self.offset, len(self.out), index))
