"""Formatting as values: spans over a text, and as much of a text as one message carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["RenderedPart", "Span", "SpanKind"]

SpanKind = Literal[
    "bold", "italic", "strike", "spoiler", "code", "pre", "link", "quote", "heading", "bullet", "task", "address"
]


class Span(NamedTuple):
    """Formatting over the characters from `start` to `end` (code points) of a text.

    `value`: a link's address, a code block's language, a heading's level. A list's mark is a `bullet` or a `task`, an
    address in plain text is an `address`. `head`: the length of a table's head, which is repeated where it is cut.
    """

    kind: SpanKind
    start: int
    end: int
    value: str = ""
    head: int = 0


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """As much of a text as one message carries: `text` with `spans` over it, in `format`, as the adapter sends it.

    `plain` is how it reads: what is sent instead when the platform cannot parse it.
    """

    text: str
    format: str
    plain: str
    spans: tuple[Span, ...] = ()
