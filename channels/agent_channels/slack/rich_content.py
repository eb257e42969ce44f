"""The words in what programs add to messages: attachments, and blocks ("Block Kit").

Pure, and nothing in them is trusted. A block that this version does not know is walked by the keys that hold words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent_channels.core.i18n.messages import translate
from agent_channels.slack.chats import Json

__all__ = ["block_texts", "rich_words"]

DEPTH_MAX = 40
# The keys that hold what people see, in what is not known.
_SHOWN = frozenset({"text", "title", "name", "alt_text", "label", "placeholder", "fallback", "value"})
# Of a message that has a text, these say the same again; what is tapped is not read.
_SAID_AGAIN = frozenset({"rich_text", "section", "header", "markdown", "context", "divider", "actions", "table"})


def rich_words(message: Json, *, has_text: bool) -> str:
    """Return the words of a message's blocks and attachments, one part a line; empty for none.

    `has_text`: its text says what its usual blocks say.
    """
    blocks = [one for one in _list(message.get("blocks")) if isinstance(one, dict)]
    if has_text:
        blocks = [one for one in blocks if one.get("type") not in _SAID_AGAIN]
    attachments = [one for one in _list(message.get("attachments")) if isinstance(one, dict) and not _is_preview(one)]
    return _lines([*(_block(one, 0) for one in blocks), *(_attachment(one) for one in attachments)])


def block_texts(blocks: Any) -> str:
    """Return the text of blocks as people read it."""
    return _lines(_block(one, 0) for one in _list(blocks) if isinstance(one, dict))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("text")
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _lines(parts: Any) -> str:
    return "\n".join(part for part in parts if part.strip())


def _is_preview(attachment: Json) -> bool:
    """Return whether Slack made it of a link in the text, which says what it is already."""
    return bool(attachment.get("original_url")) and not attachment.get("is_share")


def _attachment(one: Json) -> str:
    """Return the words of an attachment; of a shared message whose it is, and what it says."""
    title, url = _text(one.get("title")), one.get("title_link") or one.get("from_url")
    linked = f"{title} ({url})" if title and isinstance(url, str) else title
    said = [
        _text(one.get("pretext")),
        _text(one.get("author_name")),
        linked,
        _text(one.get("text")) or block_texts(_message_blocks(one)) or block_texts(one.get("blocks")),
        *(
            ": ".join(filter(None, (_text(field.get("title")), _text(field.get("value")))))
            for field in _list(one.get("fields"))
            if isinstance(field, dict)
        ),
        _text(one.get("footer")) if not one.get("is_share") else "",
    ]
    return _lines(said) or _text(one.get("fallback"))


def _message_blocks(attachment: Json) -> list[Any]:
    found: list[Any] = []
    for one in _list(attachment.get("message_blocks")):
        message = one.get("message") if isinstance(one, dict) else None
        found += _list(message.get("blocks")) if isinstance(message, dict) else []
    return found


def _block(block: Any, depth: int) -> str:
    if not isinstance(block, dict) or depth > DEPTH_MAX:
        return ""
    match block.get("type"):
        case "rich_text":
            return _lines(_rich(one, depth + 1) for one in _list(block.get("elements")))
        case "section":
            fields = [_text(field) for field in _list(block.get("fields"))]
            return _lines([_text(block.get("text")), *fields])
        case "header" | "markdown":
            return _text(block.get("text"))
        case "context":
            return " ".join(filter(None, (_text(one) for one in _list(block.get("elements")))))
        case "image":
            return f"(photo: {_text(block.get('title')) or _text(block.get('alt_text'))})"
        case "divider":
            return ""
        case "actions":
            return " ".join(f"[{label}]" for one in _list(block.get("elements")) if (label := _text(_label(one))))
        case "table":
            rows = [[_cell(cell, depth + 1) for cell in _list(row)] for row in _list(block.get("rows"))]
            return _lines(" | ".join(row) for row in rows)
        case kind:
            return _lines(_words(block, depth)) or translate("kind_unknown", kind=f"block {_text(kind)}".strip())


def _label(element: Any) -> Any:
    return (element.get("text") or element.get("placeholder")) if isinstance(element, dict) else None


def _cell(cell: Any, depth: int) -> str:
    return " ".join((_text(cell) or _block(cell, depth)).split()) if isinstance(cell, dict) else ""


def _rich(element: Any, depth: int) -> str:
    """Return an element of a rich text: a section, a list, a quote, or code; each holds inline elements."""
    if not isinstance(element, dict) or depth > DEPTH_MAX:
        return ""
    elements = _list(element.get("elements"))
    if element.get("type") == "rich_text_list":
        ordered, offset = element.get("style") == "ordered", element.get("offset")
        first = 1 + (offset if isinstance(offset, int) else 0)
        marks = (f"{first + number}. " if ordered else "• " for number in range(len(elements)))
        return _lines(mark + _rich(one, depth + 1) for mark, one in zip(marks, elements, strict=True))
    return "".join(_inline(one) for one in elements if isinstance(one, dict))


def _inline(element: Json) -> str:
    match element.get("type"):
        case "text":
            return _text(element.get("text"))
        case "link":
            label, url = _text(element.get("text")), _text(element.get("url"))
            return f"{label} ({url})" if label and label != url else url
        case "user":
            return f"<@{_text(element.get('user_id'))}>"
        case "channel":
            return f"<#{_text(element.get('channel_id'))}>"
        case "emoji":
            return f":{_text(element.get('name'))}:"
        case "broadcast":
            return f"@{_text(element.get('range'))}"
        case "date":
            return _text(element.get("fallback"))
        case _:
            return _text(element.get("text"))


def _words(value: Any, depth: int) -> Iterator[str]:
    """Yield the words in what is not known, in order."""
    if depth > DEPTH_MAX:
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(_list(value)):
        if key in _SHOWN and isinstance(part, str):
            yield part
        elif isinstance(part, dict | list):
            yield from _words(part, depth + 1)
