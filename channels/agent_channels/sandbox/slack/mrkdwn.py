"""How Slack keeps texts: `&`, `<` and `>` escaped, mentions and links in angle brackets, emoji by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent_channels.sandbox.slack.emoji import BY_CHARACTER, CHARACTERS

__all__ = ["escaped", "mentions", "normalized", "rich_text", "typed"]

TOKEN = re.compile(r"<(?:[@#!][^<>\n]+|(?:https?|mailto|tel|slack):[^<>\n]+)>")
ENTITY = re.compile(r"&(?!(?:amp|lt|gt);)")
URL = re.compile(r"https?://[^\s<>|]*[^\s<>|.,;:!?'\")\]]")
MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
PARTS = re.compile(
    r"<@(?P<user>[UW][A-Z0-9]+)>|<#(?P<channel>C[A-Z0-9]+)(?:\|[^>]*)?>|<(?P<url>[^@#!][^>]*)>|:(?P<emoji>[a-z0-9_+-]+):"
    r"|`(?P<code>[^`\n]+)`|(?<!\w)\*(?P<bold>\S(?:[^*\n]*\S)?)\*(?!\w)|(?<!\w)_(?P<italic>\S(?:[^_\n]*\S)?)_(?!\w)"
    r"|(?<!\w)~(?P<strike>\S(?:[^~\n]*\S)?)~(?!\w)"
)


def escaped(text: str) -> str:
    """Return a text with the three characters escaped that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def normalized(text: str) -> str:
    """Return a bot's text as Slack keeps it: what is not a mention, a link or an entity already is escaped."""
    kept: list[str] = []
    end = 0
    for token in TOKEN.finditer(text):
        kept += [_plain(text[end : token.start()]), token[0]]
        end = token.end()
    return "".join([*kept, _plain(text[end:])])


def typed(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Return what the client sends for a text that a person types; `users` and `channels` map names to ids.

    `@name` and `#name` become mentions, addresses become links, and emoji become their names.
    """
    made = escaped(text)
    made = URL.sub(lambda found: f"<{found[0]}>", made)
    for name, user_id in sorted(users.items(), key=lambda one: -len(one[0])):
        made = re.sub(rf"(?<![\w<])@{re.escape(name)}(?![\w-])", f"<@{user_id}>", made)
    for name, channel_id in sorted(channels.items(), key=lambda one: -len(one[0])):
        made = re.sub(rf"(?<![\w<])#{re.escape(name)}(?![\w-])", f"<#{channel_id}|{name}>", made)
    return _EMOJI.sub(lambda found: f":{BY_CHARACTER[found[0]]}:", made)


def mentions(text: str) -> list[str]:
    """Return the ids of the users that a text mentions."""
    return MENTION.findall(text)


def rich_text(text: str, block_id: str) -> dict[str, Any]:
    """Return the block in which the client sends a person's text beside the text itself.

    What was typed between marks is a text with that style.
    """
    elements: list[dict[str, Any]] = []
    end = 0
    for part in PARTS.finditer(text):
        elements += _text_element(text[end : part.start()])
        elements += _element(str(part.lastgroup), part[str(part.lastgroup)])
        end = part.end()
    elements += _text_element(text[end:])
    section = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "block_id": block_id, "elements": [section]}


def _element(kind: str, value: str) -> list[dict[str, Any]]:
    match kind:
        case "user":
            return [{"type": "user", "user_id": value}]
        case "channel":
            return [{"type": "channel", "channel_id": value}]
        case "url":
            return [{"type": "link", "url": value.partition("|")[0]}]
        case "emoji":
            code = "-".join(f"{ord(char):x}" for char in CHARACTERS.get(value, ""))
            return [{"type": "emoji", "name": value, **({"unicode": code} if code else {})}]
    return [{**one, "style": {kind: True}} for one in _text_element(value)]


def _text_element(text: str) -> list[dict[str, Any]]:
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return [{"type": "text", "text": plain}] if plain else []


def _plain(text: str) -> str:
    return ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


_EMOJI = re.compile("|".join(re.escape(one) for one in sorted(BY_CHARACTER, key=len, reverse=True)))
