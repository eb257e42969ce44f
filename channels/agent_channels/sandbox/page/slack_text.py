"""Slack's texts as the chat page draws them: mrkdwn and blocks become the tree that rich messages are drawn from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from agent_channels.sandbox.slack.emoji import CHARACTERS
from agent_channels.sandbox.telegram.utf16 import utf16

__all__ = ["Names", "as_entities", "plain_text", "rich_blocks", "rich_mrkdwn"]

Node: TypeAlias = dict[str, Any]
# What mentions are called, by the id of a person or channel.
Names: TypeAlias = Mapping[str, str]

PRE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<token>[^<>\n]+)>"
    r"|:(?P<emoji>[a-z0-9_+'-]+)(?:::skin-tone-[2-6])?:"
    r"|(?<![\w*])\*(?P<bold>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>[^\s_](?:[^_\n]*[^\s_])?)_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])"
)
# What an entity is called where it is not named as in a tree, and what else it holds.
ENTITIES = {"url": "text_link"}
KEPT = ("url", "unix_time", "date_time_format")
MARKS = {"bold": "bold", "italic": "italic", "strike": "strikethrough"}
STYLES = {"bold": "bold", "italic": "italic", "strike": "strikethrough", "underline": "underline", "code": "code"}


def rich_mrkdwn(text: str, names: Names) -> list[Node]:
    """Return a text in mrkdwn as blocks: paragraphs, quotes and code."""
    made: list[Node] = []
    end = 0
    for block in PRE.finditer(text):
        made += _lines(text[end : block.start()], names)
        made.append({"type": "pre", "text": _unescaped(block[1])})
        end = block.end()
    return [*made, *_lines(text[end:], names)]


def rich_blocks(blocks: list[Node], names: Names) -> list[Node]:
    """Return a message's blocks as the page's, without buttons and menus."""
    return [made for block in blocks for made in _of_block(block, names)]


def as_entities(pieces: Any) -> tuple[str, list[Node]]:
    """Return the words of a paragraph, and its marks as entities of the whole text."""
    words = ""
    entities: list[Node] = []

    def add(value: Any) -> None:
        nonlocal words
        if isinstance(value, list):
            for one in value:
                add(one)
        elif isinstance(value, dict):
            begin = utf16(words)
            add(value["text"])
            kind, more = (
                ENTITIES.get(value["type"], value["type"]),
                {name: value[name] for name in KEPT if name in value},
            )
            entities.append({"type": kind, "offset": begin, "length": utf16(words) - begin, **more})
        else:
            words += str(value)

    add(pieces)
    return words, entities


def plain_text(text: str, names: Names) -> str:
    """Return how a text in mrkdwn reads, in one line."""
    return " ".join(" ".join(_words(block) for block in rich_mrkdwn(text, names)).split())


def _words(node: Any) -> str:
    if isinstance(node, list):
        return "".join(_words(one) for one in node)
    if not isinstance(node, dict):
        return str(node)
    return " ".join(_words(node[key]) for key in ("text", "blocks") if key in node)


# --- mrkdwn


def _lines(text: str, names: Names) -> Iterator[Node]:
    """Yield paragraphs, and quotes of the lines that begin with a bracket."""
    lines = text.strip("\n").split("\n") if text.strip() else []
    at = 0
    while at < len(lines):
        begin, quoted = at, lines[at].startswith("&gt;")
        while at < len(lines) and lines[at].startswith("&gt;") == quoted:
            at += 1
        if quoted:
            words = "\n".join(line.removeprefix("&gt;").lstrip() for line in lines[begin:at])
            yield {"type": "blockquote", "blocks": [{"type": "paragraph", "text": _inline(words, names)}]}
        elif words := "\n".join(lines[begin:at]).strip("\n"):
            yield {"type": "paragraph", "text": _inline(words, names)}


def _inline(text: str, names: Names) -> list[Any]:
    made: list[Any] = []
    end = 0
    for found in INLINE.finditer(text):
        if found.start() > end:
            made.append(_unescaped(text[end : found.start()]))
        made.append(_marked(found, names))
        end = found.end()
    return [*made, _unescaped(text[end:])] if end < len(text) else made


def _marked(found: re.Match[str], names: Names) -> Any:
    kind = str(found.lastgroup)
    value = found[kind]
    if kind == "code":
        return {"type": "code", "text": _unescaped(value)}
    if kind == "emoji":
        return CHARACTERS.get(value, f":{value}:")
    if kind == "token":
        return _token(value, names)
    return {"type": MARKS[kind], "text": _inline(value, names)}


def _token(token: str, names: Names) -> Any:
    target, _, label = token.partition("|")
    if target[:1] in "@#":
        return {"type": "mention", "text": target[0] + (names.get(target[1:]) or label or target[1:])}
    if target.startswith("!"):
        return {"type": "mention", "text": f"@{label or target[1:].partition('^')[0]}"}
    return {"type": "url", "url": _unescaped(target), "text": _unescaped(label or target)}


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# --- blocks


def _of_block(block: Node, names: Names) -> list[Node]:
    match block:
        case {"type": "section"}:
            texts = [one for one in (block.get("text"), *block.get("fields", ())) if one]
            return [node for text in texts for node in _text_object(text, names)]
        case {"type": "header", "text": text}:
            return [{"type": "heading", "size": 2, "text": text["text"]}]
        case {"type": "context", "elements": elements}:
            texts = [_inline(one["text"], names) if "text" in one else [f"[{one['alt_text']}]"] for one in elements]
            return [{"type": "footer", "text": text} for text in texts]
        case {"type": "divider"}:
            return [{"type": "divider"}]
        case {"type": "rich_text", "elements": elements}:
            return [_rich_part(one, names) for one in elements]
        case {"type": "table", "rows": rows}:
            settings = block.get("column_settings") or []
            cells = [
                [_cell(cell, at, row == 0, settings, names) for at, cell in enumerate(line)]
                for row, line in enumerate(rows)
            ]
            return [{"type": "table", "cells": cells, "is_bordered": True}]
        case {"type": "markdown", "text": text}:
            return [{"type": "paragraph", "text": text}]
        case {"type": "image", "alt_text": text}:
            return [{"type": "footer", "text": f"[{text}]"}]
        case {"type": "input", "label": label}:
            return [{"type": "paragraph", "text": label["text"]}]
    return []


def _text_object(text: Node, names: Names) -> list[Node]:
    if text["type"] == "mrkdwn":
        return rich_mrkdwn(text["text"], names)
    return [{"type": "paragraph", "text": text["text"]}]


def _cell(cell: Node, at: int, is_header: bool, settings: list[Any], names: Names) -> Node:  # noqa: FBT001 - of a table
    setting = settings[at] if at < len(settings) and isinstance(settings[at], dict) else {}
    if cell["type"] == "raw_text":
        text: Any = cell["text"]
    else:
        text = [piece for part in cell["elements"] for piece in _pieces(part.get("elements", ()), names)]
    return {"text": text, "is_header": is_header, "align": setting.get("align", "left"), "valign": "top"}


def _rich_part(part: Node, names: Names) -> Node:
    elements = part.get("elements", [])
    match part["type"]:
        case "rich_text_preformatted":
            return {"type": "pre", "text": "".join(str(one.get("text") or one.get("url") or "") for one in elements)}
        case "rich_text_quote":
            inner = {"type": "paragraph", "text": _pieces(elements, names)}
            return {"type": "blockquote", "blocks": [inner]}
        case "rich_text_list":
            first = int(part.get("offset", 0)) + 1
            items: list[Node] = [{"blocks": [_rich_part(one, names)]} for one in elements]
            if part.get("style") == "ordered":
                items = [{**item, "value": first + at} for at, item in enumerate(items)]
            return {"type": "list", "items": items}
    return {"type": "paragraph", "text": _pieces(elements, names)}


def _pieces(elements: Any, names: Names) -> list[Any]:
    return [_piece(one, names) for one in elements]


def _piece(element: Node, names: Names) -> Any:
    match element:
        case {"type": "text", "text": text}:
            made: Any = text
        case {"type": "link", "url": url}:
            made = {"type": "url", "url": url, "text": element.get("text") or url}
        case {"type": "emoji", "name": name}:
            return CHARACTERS.get(name, f":{name}:")
        case {"type": "user", "user_id": user_id}:
            return {"type": "mention", "text": f"@{names.get(user_id, user_id)}"}
        case {"type": "channel", "channel_id": channel_id}:
            return {"type": "mention", "text": f"#{names.get(channel_id, channel_id)}"}
        case {"type": "broadcast", "range": who}:
            return {"type": "mention", "text": f"@{who}"}
        case {"type": "date", "timestamp": seconds}:
            return {"type": "date_time", "unix_time": seconds, "text": element.get("fallback") or str(seconds)}
        case _:
            return str(element.get("text") or element.get("value") or "")
    for style in (name for name, on in (element.get("style") or {}).items() if on and name in STYLES):
        made = {"type": STYLES[style], "text": [made]}
    return made
