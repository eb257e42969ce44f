"""Formatted text as the server keeps it: markup parsed, characters cleaned, white space trimmed, entities checked.

The rules are those of td/telegram/MessageEntity.cpp (fix_formatted_text) and Client.cpp (get_formatted_text).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.params import field_number, field_text
from agent_channels.sandbox.telegram.parse_html import ParseError, parse_html
from agent_channels.sandbox.telegram.parse_markdown import parse_markdown, parse_markdown_v2
from agent_channels.sandbox.telegram.utf16 import Entity, check_link, is_utf8, link_user_id, utf16

__all__ = ["CAPTION_LIMIT", "TEXT_LIMIT", "detect", "format_text"]

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
MAX_BYTES = 1 << 15

WRONG = "can't parse MessageEntity: "

FindUser = Callable[[int], dict[str, Any] | None]

PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
# In the order of td's get_type_priority, for entities of one place.
ORDER = (
    "blockquote",
    "expandable_blockquote",
    "pre",
    "code",
    "text_link",
    "text_mention",
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "custom_emoji",
)
SPLITTABLE = {"bold", "italic", "underline", "strikethrough", "spoiler"}
QUOTES = {"blockquote", "expandable_blockquote"}
FOUND_BY_SERVER = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
HIDDEN_DATA = {"text_link", "text_mention"}
NEEDED = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id"}

# Approximations of td's find_entities, in its order of precedence.
DETECTORS = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w])")),
    (
        "url",
        re.compile(r"(?<![\w@])(?:https?://[^\s<>\"]+[^\s<>\".,!?;:)\]']|(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|me))"),
    ),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z][A-Za-z0-9_]{2,31}(?!\w)")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{3,8}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d])\w{1,256}(?!\w)")),
    ("phone_number", re.compile(r"(?<![\w+])\+\d{7,15}(?!\w)")),
)
# Without one of these there is nothing for them to find.
SIGNS = re.compile(r"[@/.:$#+]")


def format_text(text: str, parse_mode: str, given: Any, find_user: FindUser) -> tuple[str, list[Entity]]:
    """(text, entities) as the message will carry them; the text is "" when only white space is left.

    `given` is the caller's `entities`, read only without a parse mode. Raises BotApiError.
    """
    if not is_utf8(text):
        raise bad("strings must be encoded in UTF-8")
    if len(text.encode()) > MAX_BYTES:
        raise bad("text is too long")
    mode = parse_mode.lower()
    if text and mode not in {"", "none"}:
        parser = PARSERS.get(mode)
        if parser is None:
            raise bad("unsupported parse_mode")
        try:
            text, entities = parser(text)
        except ParseError as error:
            raise bad(f"can't parse entities: {error}") from None
    else:
        entities = _given(given)
    entities = [known for entity in entities if (known := _with_user(entity, find_user))]
    text, entities = _clean(text, entities)
    entities = _nested(entities)
    text, entities = _trimmed(text, entities)
    return text, _sorted(_with_detected(entities, detect(text)))


def _sorted(entities: list[Entity]) -> list[Entity]:
    return sorted(entities, key=lambda one: (one["offset"], -one["length"], ORDER.index(one["type"])))


def _given(value: Any) -> list[Entity]:
    if not isinstance(value, list):
        return []
    return [entity for item in value if (entity := _read_entity(item))]


def _read_entity(item: Any) -> Entity | None:
    if not isinstance(item, dict):
        raise bad(f"{WRONG}expected an Object")
    for name in ("offset", "length", "type"):
        _field(item, name)
    kind = field_text(item, "type", WRONG)
    if kind in FOUND_BY_SERVER:
        return None
    if kind not in ORDER:
        raise bad(f"{WRONG}Unsupported type specified")
    entity: Entity = {"type": kind, **{name: field_number(item, name, WRONG) for name in ("offset", "length")}}
    if kind in NEEDED:
        entity[NEEDED[kind]] = _needed(item, kind)
    elif kind == "pre" and item.get("language"):
        entity["language"] = field_text(item, "language", WRONG)
    for name in ("offset", "length"):
        if not 0 <= entity[name] <= 1_000_000:
            raise bad(f"receive an entity with incorrect {name} {entity[name]}")
    return _with_link(entity) if kind == "text_link" else entity


def _field(item: dict[str, Any], name: str) -> Any:
    if name not in item:
        raise bad(f'{WRONG}Can\'t find field "{name}"')
    return item[name]


def _needed(item: dict[str, Any], kind: str) -> Any:
    value = _field(item, NEEDED[kind])
    if kind == "text_link":
        return field_text(item, "url", WRONG)
    if kind == "custom_emoji":
        if not 0 < field_number(item, "custom_emoji_id", WRONG) < 2**63:
            raise bad(f'{WRONG}Field "custom_emoji_id" must be a valid Number')
        return str(value)
    if not isinstance(value, dict):
        raise bad(f'{WRONG}Field "user" must be of type Object')
    user = field_number(value, "id", WRONG)
    if user <= 0:
        raise bad("user not found")
    return {"id": user}


def _with_link(entity: Entity) -> Entity:
    user = link_user_id(entity["url"])
    if user is not None:
        return {"type": "text_mention", "offset": entity["offset"], "length": entity["length"], "user": {"id": user}}
    checked, complaint = check_link(entity["url"])
    if complaint:
        raise bad(f"entity {complaint}")
    return {**entity, "url": checked}


def _with_user(entity: Entity, find_user: FindUser) -> Entity | None:
    if entity["type"] != "text_mention":
        return entity
    user = find_user(int(entity["user"]["id"]))
    return {**entity, "user": user} if user else None


def _clean(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Drops what clean_input_string drops, and moves the entities along. Raises for places outside the text."""
    if not entities:
        return text if text.isascii() and text.isprintable() else "".join(map(_cleaned, text)), []
    size = utf16(text)
    starts: dict[int, int] = {}
    out, offset, kept = "", 0, 0
    for char in text:
        starts[offset] = kept
        offset += utf16(char)
        cleaned = _cleaned(char)
        out += cleaned
        kept += utf16(cleaned)
    starts[offset] = kept
    moved = []
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if begin > size:
            raise bad(f"entity begins after the end of the text at UTF-16 offset {begin}")
        if end > size:
            raise bad(
                f"entity beginning at UTF-16 offset {begin} ends after the end of the text at UTF-16 offset {end}"
            )
        if begin not in starts:
            raise bad(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {begin}")
        if end not in starts:
            raise bad(f"entity beginning at UTF-16 offset {begin} ends in a middle of a UTF-16 symbol")
        moved.append({**entity, "offset": starts[begin], "length": starts[end] - starts[begin]})
    return out, [entity for entity in moved if entity["length"]]


def _cleaned(char: str) -> str:
    if char == "\r" or "\u2028" <= char <= "\u202e" or char in "\u0333\u033f\u030a":
        return ""
    return " " if char < " " and char != "\n" else char


def _crosses(one: Entity, other: Entity) -> bool:
    a, b = int(one["offset"]), int(one["offset"] + one["length"])
    c, d = int(other["offset"]), int(other["offset"] + other["length"])
    return a < c < b < d or c < a < d < b


def _overlap(one: Entity, other: Entity) -> bool:
    a, b = int(one["offset"]), int(one["offset"] + one["length"])
    c, d = int(other["offset"]), int(other["offset"] + other["length"])
    return a < d and c < b


def _nested(entities: list[Entity]) -> list[Entity]:
    """Makes the entities a forest: whole ones may not overlap, styles are split where they cross another."""
    whole: list[Entity] = []
    for entity in _sorted([one for one in entities if one["type"] not in SPLITTABLE]):
        rivals = [one for one in whole if (one["type"] in QUOTES) == (entity["type"] in QUOTES)]
        others = [one for one in whole if one not in rivals]
        if not any(_overlap(one, entity) for one in rivals) and not any(_crosses(one, entity) for one in others):
            whole.append(entity)
    code = [one for one in whole if one["type"] in {"pre", "code"}]
    styles: list[Entity] = []
    for entity in _sorted([one for one in entities if one["type"] in SPLITTABLE]):
        if any(entity["type"] == one["type"] and _overlap(entity, one) for one in styles):
            entity = _beyond(entity, [one for one in styles if one["type"] == entity["type"]])  # noqa: PLW2901
        if entity["length"]:
            styles.append(entity)
    pieces = styles
    # a cut can make a piece cross what the whole had contained, so it goes on until there is nothing to cut
    while len(cut := [piece for entity in pieces for piece in _split(entity, [*whole, *pieces])]) > len(pieces):
        pieces = cut
    return [*whole, *(piece for piece in pieces if not any(_overlap(piece, one) for one in code))]


def _beyond(entity: Entity, same: list[Entity]) -> Entity:
    end = entity["offset"] + entity["length"]
    begin = max(one["offset"] + one["length"] for one in same)
    return {**entity, "offset": begin, "length": max(end - begin, 0)}


def _split(entity: Entity, others: list[Entity]) -> list[Entity]:
    begin, end = entity["offset"], entity["offset"] + entity["length"]
    cuts = {begin, end}
    for other in others:
        if _crosses(entity, other) or (other["type"] in {"pre", "code"} and _overlap(entity, other)):
            cuts |= {edge for edge in (other["offset"], other["offset"] + other["length"]) if begin < edge < end}
    edges = sorted(cuts)
    return [{**entity, "offset": a, "length": b - a} for a, b in itertools.pairwise(edges)]


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    stripped = text.rstrip(" \n")
    end = utf16(stripped)
    units = text.encode("utf-16-le")
    kept: list[Entity] = []
    for entity in entities:
        begin, stop = entity["offset"], min(entity["offset"] + entity["length"], end)
        if entity["type"] not in HIDDEN_DATA:
            while begin < stop and units[2 * begin : 2 * begin + 2] in {b" \0", b"\n\0"}:
                begin += 1
        if begin < stop:
            kept.append({**entity, "offset": begin, "length": stop - begin})
    limit = min((entity["offset"] for entity in kept), default=len(stripped))
    lead = 0
    while lead < limit and stripped[lead : lead + 1] in {" ", "\n"}:
        lead += 1
    return stripped[lead:], [{**entity, "offset": entity["offset"] - lead} for entity in kept]


def detect(text: str) -> list[Entity]:
    """The entities the server finds by itself: commands, mentions, tags, addresses and links."""
    found: list[Entity] = []
    if not SIGNS.search(text):
        return found
    for kind, pattern in DETECTORS:
        for match in pattern.finditer(text):
            entity: Entity = {"type": kind, "offset": utf16(text[: match.start()]), "length": utf16(match[0])}
            if not any(_overlap(entity, one) for one in found):
                found.append(entity)
    return _sorted(found)


def _with_detected(entities: list[Entity], detected: list[Entity]) -> list[Entity]:
    whole = [one for one in entities if one["type"] not in SPLITTABLE and one["type"] not in QUOTES]
    return [
        *entities,
        *(
            one
            for one in detected
            if not any(_overlap(one, other) for other in whole) and not any(_crosses(one, other) for other in entities)
        ),
    ]
