"""Rich messages as bots send them: what the server refuses, and what it makes of the rest.

The wording of the limits' refusals is not documented; the other refusals are in Telegram's words.
"""

from __future__ import annotations

import re
from typing import Any

from agent_channels.sandbox.telegram.entities import detect
from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.records import Message
from agent_channels.sandbox.telegram.rich_blocks import BLOCKS, CHARACTERS_MAX, check_blocks, rich_words
from agent_channels.sandbox.telegram.utf16 import entity_text

__all__ = ["rich_fields"]

CONTENTS = ("html", "markdown", "blocks")
# Type of a rich text -> the field that it must have. Telegram finds those in DETECTED by itself, too.
DETECTED = {
    "mention": "username",
    "hashtag": "hashtag",
    "cashtag": "cashtag",
    "bot_command": "bot_command",
    "phone_number": "phone_number",
    "email_address": "email_address",
}
STYLES = "bold italic underline strikethrough spoiler subscript superscript marked code"
TEXTS = {
    **dict.fromkeys(STYLES.split(), "text"),
    **DETECTED,
    "url": "url",
    "text_mention": "user",
    "date_time": "unix_time",
    "custom_emoji": "custom_emoji_id",
    "mathematical_expression": "expression",
    "anchor": "name",
    "anchor_link": "anchor_name",
}
TEXT_FIELDS = frozenset({"text", "summary", "caption", "credit"})
UNTOUCHED = frozenset({"code", "url", "text_mention", "anchor_link"})
# "openai:key@home": found as a mail address, and then refused as one.
NO_ADDRESS = re.compile(r"(?<!\w)\w+:\w+@\w+(?![\w.])")


def rich_fields(params: Params) -> Message:
    """Return `rich_message` as a message has it, of a call's parameter `rich_message`. Raises BotApiError."""
    given = params.decoded("rich_message", "InputRichMessage")
    if not isinstance(given, dict):
        raise bad("can't parse InputRichMessage: expected an Object")
    if params.text("parse_mode") or params.values.get("link_preview_options") is not None:
        raise bad("a rich message has no parse_mode and no link_preview_options")
    contents = [name for name in CONTENTS if given.get(name)]
    if not contents:
        raise bad("RICH_MESSAGE_CONTENT_REQUIRED")
    if len(contents) > 1:
        raise bad("can't parse InputRichMessage: exactly one of html, markdown and blocks must be used")
    # The two other forms are not parsed here: their source is shown.
    blocks = given["blocks"] if "blocks" in contents else [{"type": "paragraph", "text": str(given[contents[0]])}]
    _check_shape(blocks)
    try:
        check_blocks(blocks)
    except ValueError as error:
        too_long = len(rich_words(blocks)) > CHARACTERS_MAX
        raise bad("RICH_MESSAGE_TOO_LONG" if too_long else f"RICH_MESSAGE_INVALID: {error}") from None
    if not rich_words(blocks).strip() and not any(kind in str(blocks) for kind in ("photo", "video", "document")):
        raise bad("RICH_MESSAGE_CONTENT_REQUIRED")
    found = _block_list(blocks, detects=not given.get("skip_entity_detection"))
    return {"rich_message": {"blocks": found, **({"is_rtl": True} if given.get("is_rtl") else {})}}


# --- checking


def _check_shape(blocks: Any) -> None:
    if not isinstance(blocks, list):
        raise bad("can't parse InputRichMessage: expected an Array of InputRichBlock")
    for block in blocks:
        kind = _field(block, "type", "InputRichBlock")
        if kind == "thinking":
            raise bad("Block is not allowed")
        if kind not in BLOCKS:
            raise bad("can't parse InputRichBlock: unsupported block type specified")
        for name in BLOCKS[kind]:
            _field(block, name, "InputRichBlock")
        for name in TEXT_FIELDS & block.keys():
            _check_text(block[name])
        _check_shape(block.get("blocks", []))
        for item in block.get("items", ()):
            _check_item(item)
        for cell in (cell for row in block.get("cells", ()) for cell in row):
            _check_cell(cell)


def _check_item(item: Any) -> None:
    inside = _field(item, "blocks", "InputRichBlockListItem")
    if not inside:
        raise bad("can't parse InputRichBlockListItem: an item has no blocks")
    _check_shape(inside)
    if item.get("type") not in (None, "a", "A", "i", "I", "1"):
        raise bad("can't parse InputRichBlockListItem: invalid type specified")
    if item.get("value") is not None and not isinstance(item["value"], int):
        raise bad('can\'t parse InputRichBlockListItem: Field "value" must be a valid Number')


def _check_cell(cell: Any) -> None:
    if _field(cell, "align", "RichBlockTableCell") not in {"left", "center", "right"}:
        raise bad("can't parse RichBlockTableCell: invalid align specified")
    if _field(cell, "valign", "RichBlockTableCell") not in {"top", "middle", "bottom"}:
        raise bad("can't parse RichBlockTableCell: invalid valign specified")
    if "text" in cell:
        _check_text(cell["text"])


def _check_text(text: Any) -> None:
    if isinstance(text, list):
        for one in text:
            _check_text(one)
    elif isinstance(text, dict):
        kind = _field(text, "type", "RichText")
        if kind not in TEXTS:
            raise bad("can't parse RichText: unsupported text type specified")
        _field(text, TEXTS[kind], "RichText")
        if "text" in text:
            _check_text(text["text"])
    elif not isinstance(text, str):
        raise bad("can't parse RichText: expected a String, an Array or an Object")


def _field(value: Any, name: str, what: str) -> Any:
    if not isinstance(value, dict):
        raise bad(f"can't parse {what}: expected an Object")
    if name not in value:
        raise bad(f"can't parse {what}: Can't find field \"{name}\"")
    return value[name]


# --- as people see it


def _block_list(blocks: list[Any], *, detects: bool) -> list[Any]:
    return [_block(block, detects=detects) for block in blocks]


def _block(block: dict[str, Any], *, detects: bool) -> dict[str, Any]:
    shown = dict(block)
    for name in TEXT_FIELDS & block.keys():
        shown[name] = _text(block[name], detects=detects and block["type"] != "pre")
    if "blocks" in block:
        shown["blocks"] = _block_list(block["blocks"], detects=detects)
    if "items" in block:
        shown["items"] = [
            {**item, "label": _label(item), "blocks": _block_list(item["blocks"], detects=detects)}
            for item in block["items"]
        ]
    if "cells" in block:
        shown["cells"] = [
            [{**cell, **({"text": _text(cell["text"], detects=detects)} if "text" in cell else {})} for cell in row]
            for row in block["cells"]
        ]
    return shown


def _label(item: dict[str, Any]) -> str:
    if item.get("has_checkbox"):
        return "☑" if item.get("is_checked") else "☐"
    return f"{item.get('value', 1)}." if "value" in item or "type" in item else "•"


def _text(text: Any, *, detects: bool) -> Any:
    if isinstance(text, list):
        found = [_text(one, detects=detects) for one in text]
        return [node for one in found for node in (one if isinstance(one, list) else [one])]
    if isinstance(text, dict):
        if text["type"] in DETECTED:
            return _text(text.get("text", ""), detects=detects)
        if "text" not in text:
            return text
        return {**text, "text": _text(text["text"], detects=detects and text["type"] not in UNTOUCHED)}
    return _detected(text) if detects else text


def _detected(text: str) -> Any:
    """Return a text with what the server finds in it."""
    if NO_ADDRESS.search(text):
        raise bad("RICH_MESSAGE_EMAIL_INVALID")
    pieces: list[Any] = []
    rest = text
    for entity in reversed(detect(text)):
        covered = entity_text(text, entity)
        before = text.encode("utf-16-le")[: 2 * entity["offset"]].decode("utf-16-le")
        pieces.insert(0, rest[len(before) + len(covered) :])
        kind = "email_address" if entity["type"] == "email" else entity["type"]
        value = covered.lstrip("@") if kind == "mention" else covered
        pieces.insert(0, {"type": kind, "text": covered, DETECTED.get(kind, "url"): value})
        rest = before
    found = [piece for piece in (rest, *pieces) if piece]
    return found[0] if len(found) == 1 else found or ""
