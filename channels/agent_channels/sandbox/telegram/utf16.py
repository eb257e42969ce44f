"""Text measured as Telegram measures it: UTF-16 code units for entities, UTF-8 bytes in parse errors."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Entity", "byte_offset", "entity_text", "is_utf8", "utf16"]

Entity: TypeAlias = dict[str, Any]


def utf16(text: str) -> int:
    """Return the length in UTF-16 code units, the unit of every entity offset."""
    return len(text) if text.isascii() else len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def entity_text(text: str, entity: Entity) -> str:
    """Return the part of a text that an entity covers."""
    begin, end = entity["offset"], entity["offset"] + entity["length"]
    return text.encode("utf-16-le")[2 * begin : 2 * end].decode("utf-16-le")


def byte_offset(text: str, index: int) -> int:
    """Return the UTF-8 byte offset of a character index, as the server's parse errors count."""
    return len(text[:index].encode("utf-8", "surrogatepass"))


def is_utf8(value: Any) -> bool:
    """Return True if every string in a JSON value can be encoded: none has an unpaired surrogate."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(is_utf8(key) and is_utf8(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_utf8(item) for item in value)
    return True
