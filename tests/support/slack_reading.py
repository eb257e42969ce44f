"""What people read in a message of Slack's: the words of its blocks, and which of them are bold."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

__all__ = ["actions", "bold_words", "read", "read_blocks"]


def read(message: dict[str, Any]) -> str:
    """The text: of the blocks if there are some, else the text itself."""
    return read_blocks(message.get("blocks") or ()) or html.unescape(str(message.get("text") or ""))


def read_blocks(blocks: Any) -> str:
    """What blocks say, one after the other: each begins on a line of its own, as its parts do."""
    return "\n\n".join(filter(None, map(_block, blocks)))


def _block(block: dict[str, Any]) -> str:
    if block["type"] == "table":
        return "\n".join(" ".join(_cell(cell) for cell in row) for row in block["rows"])
    if block["type"] != "rich_text":
        return ""
    return "\n".join("".join(map(_piece, part["elements"])) for part in block["elements"])


def _cell(cell: dict[str, Any]) -> str:
    return str(cell["text"]) if cell["type"] == "raw_text" else _block(cell)


def _piece(piece: dict[str, Any]) -> str:
    if piece["type"] == "link":
        return str(piece.get("text") or piece["url"])
    return str(piece["fallback"] if piece["type"] == "date" else piece["text"])


def bold_words(message: dict[str, Any]) -> list[str]:
    """The pieces that are bold."""
    return [_piece(piece) for piece in _pieces(message.get("blocks") or ()) if (piece.get("style") or {}).get("bold")]


def _pieces(blocks: Any) -> Iterator[dict[str, Any]]:
    for block in blocks:
        for part in block["elements"] if block["type"] == "rich_text" else ():
            yield from part["elements"]


def actions(message: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of buttons and menus."""
    return [block["elements"] for block in message.get("blocks") or () if block["type"] == "actions"]
