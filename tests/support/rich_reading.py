"""The words of Markdown, and those that people see in a Telegram message of either form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent_channels.core.text.sanitize import strip_escapes

__all__ = ["is_within", "markdown_words", "message_words", "words"]

_WORD = re.compile(r"\w+")
# What is markup: tags, checkboxes, the addresses of links, a fence with its language, line breaks in cells.
_MARKUP = re.compile(r"</?(?:details|summary|br)>|^\s*(?:>\s*)*[-\d.)]+ \[[ x]\]|\]\([^)]*\)|^\s*```\w*$", re.MULTILINE)


def words(text: str) -> list[str]:
    """The words of a text."""
    return _WORD.findall(text)


def markdown_words(source: str) -> list[str]:
    """The words in Markdown that people should see."""
    return words(_MARKUP.sub(" ", strip_escapes(source)).replace("&amp;", "&"))


def message_words(message: dict[str, Any]) -> list[str]:
    """The words that people see in a message."""
    if "rich_message" not in message:
        return words(str(message.get("text") or message.get("caption") or ""))
    return words("\n".join(_blocks(message["rich_message"]["blocks"])))


def is_within(wanted: Sequence[str], shown: Sequence[str]) -> bool:
    """Whether the words are there in this order; others may be among them."""
    rest = iter(shown)
    return all(word in rest for word in wanted)


def _blocks(blocks: Sequence[Any]) -> Iterator[str]:
    for block in blocks:
        yield from (_text(block[key]) for key in ("summary", "text") if key in block)
        yield from _blocks(block.get("blocks", ()))
        for item in block.get("items", ()):
            number = str(item["value"]) if "value" in item else ""
            yield f"{number} " + "\n".join(_blocks(item["blocks"]))
        for row in block.get("cells", ()):
            yield "\n".join(_text(cell.get("text", "")) for cell in row)


def _text(text: Any) -> str:
    if isinstance(text, list):
        return "".join(map(_text, text))
    return _text(text.get("text", "")) if isinstance(text, dict) else str(text)
