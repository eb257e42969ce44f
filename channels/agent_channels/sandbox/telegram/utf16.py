"""Small facts about text on Telegram: UTF-16 lengths, byte offsets, links."""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from urllib.parse import urlsplit

__all__ = ["Entity", "byte_offset", "check_link", "checked_link", "is_utf8", "link_user_id", "utf16"]

Entity: TypeAlias = dict[str, Any]

USER_LINK = re.compile(r"tg:(?://)?user\?id=(\d+)$", re.IGNORECASE)
# LinkManager::check_link accepts these beside http and https.
OTHER_SCHEMES = {"tg", "ton", "tonsite"}


def utf16(text: str) -> int:
    """Length in UTF-16 code units, the unit of every entity offset."""
    return len(text) if text.isascii() else len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def byte_offset(text: str, index: int) -> int:
    """UTF-8 byte offset of a character index, as the server's parse errors count."""
    return len(text[:index].encode("utf-8", "surrogatepass"))


def is_utf8(value: Any) -> bool:
    """Whether every string in a JSON value can be encoded: no unpaired surrogate."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(is_utf8(key) and is_utf8(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_utf8(item) for item in value)
    return True


def link_user_id(url: str) -> int | None:
    """The user of a `tg://user?id=N` link."""
    found = USER_LINK.match(url)
    return int(found[1]) if found else None


def check_link(url: str) -> tuple[str, str]:
    """(normalised link, "") or ("", the server's complaint); a host without a dot is not a host to Telegram."""
    bare = url.strip()
    scheme, colon, rest = bare.partition("://")
    if not colon:
        scheme, rest = "http", bare
    scheme = scheme.lower()
    if scheme in OTHER_SCHEMES:
        return f"{scheme}://{rest}", ""
    if scheme not in {"http", "https"}:
        return "", f"URL '{url}' is invalid: Unsupported URL protocol"
    if not rest or rest[0] in "/?#":
        return "", f"URL '{url}' is invalid: URL host is empty"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", f"URL '{url}' is invalid: Wrong HTTP URL"
    if "." not in host.strip(".") or re.search(r"\s", host):
        return "", f"URL '{url}' is invalid: Wrong HTTP URL"
    tail = f"?{parts.query}" if parts.query else ""
    tail += f"#{parts.fragment}" if parts.fragment else ""
    return f"{scheme}://{host}{f':{port}' if port else ''}{parts.path or '/'}{tail}", ""


def checked_link(url: str) -> str:
    """The normalised link, or "" when Telegram would not make it one."""
    return check_link(url)[0]
