"""Formatted text as the server keeps it: markup parsed, characters cleaned, white space trimmed, entities checked.

The rules are those of td/telegram/MessageEntity.cpp (fix_formatted_text) and Client.cpp (get_formatted_text).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.links import check_link, link_user_id
from agent_channels.sandbox.telegram.markup import ParseError
from agent_channels.sandbox.telegram.params import field_number, field_text
from agent_channels.sandbox.telegram.parse_html import parse_html
from agent_channels.sandbox.telegram.parse_markdown import parse_markdown, parse_markdown_v2
from agent_channels.sandbox.telegram.utf16 import Entity, is_utf8, utf16

__all__ = ["CAPTION_LIMIT", "TEXT_LIMIT", "detect", "format_text"]

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
MAX_BYTES = 1 << 15

ENTITY_ERROR = "can't parse MessageEntity: "

FindUser = Callable[[int], dict[str, Any] | None]
Known = Callable[[str], bool]

PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
# In the order of td's get_type_priority, which sorts entities of the same offset and length.
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
    "date_time",
)
# "Date-time entity formatting"
DATE_TIME_FORMAT = re.compile("r|w?[dD]?[tT]?")
SPLITTABLE = {"bold", "italic", "underline", "strikethrough", "spoiler"}
QUOTES = {"blockquote", "expandable_blockquote"}
DETECTED_BY_SERVER = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
WITH_HIDDEN_DATA = {"text_link", "text_mention"}
REQUIRED_FIELDS = {
    "text_link": "url",
    "text_mention": "user",
    "custom_emoji": "custom_emoji_id",
    "date_time": "unix_time",
}

# Some of the domains that td's find_urls knows, among them those that are endings of files and words of code as well.
_TLDS = "com|org|net|io|dev|me|md|sh|py|rs|pl|so|ps|cc|mm|am|ai|app|zip|mov|name|host|link|run|bar|foo|new|tw|co|ly"
# Approximations of td's find_entities, in its order of precedence.
DETECTORS = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w])")),
    (
        "url",
        re.compile(
            rf"(?<![\w@])(?:https?://[^\s<>\"]+[^\s<>\".,!?;:)\]']|(?:[\w-]+\.)+(?:{_TLDS})(?![\w-]))", re.IGNORECASE
        ),
    ),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z][A-Za-z0-9_]{2,31}(?!\w)")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{3,8}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d])\w{1,256}(?!\w)")),
    ("phone_number", re.compile(r"(?<![\w+])\+\d{7,15}(?!\w)")),
)
# Text without any of these characters has nothing to detect.
DETECTABLE = re.compile(r"[@/.:$#+]")


def format_text(
    text: str, parse_mode: str, entities: Any, find_user: FindUser, known: Known = lambda _since: True
) -> tuple[str, list[Entity]]:
    """Return (text, entities) as the message carries them; the text is "" when only white space is left.

    `entities` is the caller's parameter, which is ignored with a parse mode. `known` says whether the server knows what
    came with a version of the Bot API. Raises BotApiError.
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
            text, parsed = parser(text)
        except ParseError as error:
            raise bad(f"can't parse entities: {error}") from None
    else:
        parsed = _parse_entities(entities, known)
    parsed = [found for entity in parsed if (found := _with_user(entity, find_user))]
    text, parsed = _clean(text, parsed)
    parsed = _nested(parsed)
    text, parsed = _trimmed(text, parsed)
    return text, _sorted(_with_detected(parsed, detect(text)))


def _sorted(entities: list[Entity]) -> list[Entity]:
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"], ORDER.index(entity["type"])))


# --- the caller's entities


def _parse_entities(value: Any, known: Known) -> list[Entity]:
    if not isinstance(value, list):
        return []
    return [entity for item in value if (entity := _parse_entity(item, known))]


def _parse_entity(item: Any, known: Known) -> Entity | None:
    """Return the entity, or None for a kind that only the server sets. Raises BotApiError."""
    if not isinstance(item, dict):
        raise bad(f"{ENTITY_ERROR}expected an Object")
    for name in ("offset", "length", "type"):
        _required_field(item, name)
    kind = field_text(item, "type", ENTITY_ERROR)
    if kind in DETECTED_BY_SERVER:
        return None
    if kind not in ORDER or (kind == "date_time" and not known("9.5")):
        raise bad(f"{ENTITY_ERROR}Unsupported type specified")
    entity: Entity = {"type": kind, **{name: field_number(item, name, ENTITY_ERROR) for name in ("offset", "length")}}
    if kind in REQUIRED_FIELDS:
        entity[REQUIRED_FIELDS[kind]] = _kind_field(item, kind)
    elif kind == "pre" and item.get("language"):
        entity["language"] = field_text(item, "language", ENTITY_ERROR)
    if kind == "date_time" and item.get("date_time_format"):
        entity["date_time_format"] = _date_time_format(field_text(item, "date_time_format", ENTITY_ERROR))
    for name in ("offset", "length"):
        if not 0 <= entity[name] <= 1_000_000:
            raise bad(f"receive an entity with incorrect {name} {entity[name]}")
    return _with_link(entity) if kind == "text_link" else entity


def _required_field(item: dict[str, Any], name: str) -> Any:
    if name not in item:
        raise bad(f'{ENTITY_ERROR}Can\'t find field "{name}"')
    return item[name]


def _kind_field(item: dict[str, Any], kind: str) -> Any:
    value = _required_field(item, REQUIRED_FIELDS[kind])
    if kind == "text_link":
        return field_text(item, "url", ENTITY_ERROR)
    if kind == "date_time":
        return _unix_time(field_number(item, "unix_time", ENTITY_ERROR))
    if kind == "custom_emoji":
        if not 0 < field_number(item, "custom_emoji_id", ENTITY_ERROR) < 2**63:
            raise bad(f'{ENTITY_ERROR}Field "custom_emoji_id" must be a valid Number')
        return str(value)
    if not isinstance(value, dict):
        raise bad(f'{ENTITY_ERROR}Field "user" must be of type Object')
    user = field_number(value, "id", ENTITY_ERROR)
    if user <= 0:
        raise bad("user not found")
    return {"id": user}


def _unix_time(seconds: int) -> int:
    if not 0 < seconds < 2**31:
        raise bad(f'{ENTITY_ERROR}Field "unix_time" must be a valid Number')
    return seconds


def _date_time_format(given: str) -> str:
    # The wording of this refusal is not known.
    if not DATE_TIME_FORMAT.fullmatch(given):
        raise bad(f"{ENTITY_ERROR}Invalid date-time format specified")
    return given


def _with_link(entity: Entity) -> Entity:
    user = link_user_id(entity["url"])
    if user is not None:
        return {"type": "text_mention", "offset": entity["offset"], "length": entity["length"], "user": {"id": user}}
    url, complaint = check_link(entity["url"])
    if complaint:
        raise bad(f"entity {complaint}")
    return {**entity, "url": url}


def _with_user(entity: Entity, find_user: FindUser) -> Entity | None:
    if entity["type"] != "text_mention":
        return entity
    user = find_user(int(entity["user"]["id"]))
    return {**entity, "user": user} if user else None


# --- what the server changes


def _clean(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Drop the characters that clean_input_string drops, and move the entities accordingly.

    Raises BotApiError for an entity that is outside the text or splits a character.
    """
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
        begin, end = _span(entity)
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


def _span(entity: Entity) -> tuple[int, int]:
    return int(entity["offset"]), int(entity["offset"] + entity["length"])


def _crosses(first: Entity, second: Entity) -> bool:
    (a, b), (c, d) = _span(first), _span(second)
    return a < c < b < d or c < a < d < b


def _overlap(first: Entity, second: Entity) -> bool:
    (a, b), (c, d) = _span(first), _span(second)
    return a < d and c < b


def _nested(entities: list[Entity]) -> list[Entity]:
    """Make the entities a forest: blocks, code and links may not overlap; styles are split where they cross another."""
    whole: list[Entity] = []
    for entity in _sorted([entity for entity in entities if entity["type"] not in SPLITTABLE]):
        rivals = [other for other in whole if (other["type"] in QUOTES) == (entity["type"] in QUOTES)]
        others = [other for other in whole if other not in rivals]
        if any(_overlap(other, entity) for other in rivals) or any(_crosses(other, entity) for other in others):
            continue
        whole.append(entity)
    code = [entity for entity in whole if entity["type"] in {"pre", "code"}]
    styles: list[Entity] = []
    for style in _sorted([entity for entity in entities if entity["type"] in SPLITTABLE]):
        same = [other for other in styles if other["type"] == style["type"]]
        cut = _after(style, same) if any(_overlap(style, other) for other in same) else style
        if cut["length"]:
            styles.append(cut)
    # Each cut can make a part cross a style that had contained the whole, so repeat until nothing is left to cut.
    while len(parts := [part for style in styles for part in _split(style, [*whole, *styles])]) > len(styles):
        styles = parts
    return [*whole, *(style for style in styles if not any(_overlap(style, other) for other in code))]


def _after(entity: Entity, others: list[Entity]) -> Entity:
    """Return the part of the entity that begins after all the others; its length may be 0."""
    _, end = _span(entity)
    begin = max(_span(other)[1] for other in others)
    return {**entity, "offset": begin, "length": max(end - begin, 0)}


def _split(entity: Entity, others: list[Entity]) -> list[Entity]:
    begin, end = _span(entity)
    cuts = {begin, end}
    for other in others:
        if _crosses(entity, other) or (other["type"] in {"pre", "code"} and _overlap(entity, other)):
            cuts |= {edge for edge in _span(other) if begin < edge < end}
    edges = sorted(cuts)
    return [{**entity, "offset": a, "length": b - a} for a, b in itertools.pairwise(edges)]


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trim white space from both ends of the text and from the start of each entity."""
    stripped = text.rstrip(" \n")
    text_end = utf16(stripped)
    units = text.encode("utf-16-le")
    kept: list[Entity] = []
    for entity in entities:
        begin, end = _span(entity)
        end = min(end, text_end)
        if entity["type"] not in WITH_HIDDEN_DATA:
            while begin < end and units[2 * begin : 2 * begin + 2] in {b" \0", b"\n\0"}:
                begin += 1
        if begin < end:
            kept.append({**entity, "offset": begin, "length": end - begin})
    limit = min((entity["offset"] for entity in kept), default=len(stripped))
    lead = 0
    while lead < limit and stripped[lead : lead + 1] in {" ", "\n"}:
        lead += 1
    return stripped[lead:], [{**entity, "offset": entity["offset"] - lead} for entity in kept]


# --- detection


def detect(text: str) -> list[Entity]:
    """Return the entities that the server finds by itself: commands, mentions, tags, addresses and links."""
    detected: list[Entity] = []
    if not DETECTABLE.search(text):
        return detected
    for kind, pattern in DETECTORS:
        for match in pattern.finditer(text):
            entity: Entity = {"type": kind, "offset": utf16(text[: match.start()]), "length": utf16(match[0])}
            if not any(_overlap(entity, other) for other in detected):
                detected.append(entity)
    return _sorted(detected)


def _with_detected(entities: list[Entity], detected: list[Entity]) -> list[Entity]:
    whole = [entity for entity in entities if entity["type"] not in SPLITTABLE and entity["type"] not in QUOTES]
    return [
        *entities,
        *(
            entity
            for entity in detected
            if not any(_overlap(entity, other) for other in whole)
            and not any(_crosses(entity, other) for other in entities)
        ),
    ]
