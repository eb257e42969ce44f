"""Links in messages and buttons, checked and normalised as td's LinkManager does it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from agent_channels.sandbox.telegram.utf16 import Entity

__all__ = ["check_link", "link_entity", "link_user_id"]

USER_LINK = re.compile(r"tg:(?://)?user\?id=(\d+)$", re.IGNORECASE)
# LinkManager::check_link accepts these beside http and https.
OTHER_SCHEMES = {"tg", "ton", "tonsite"}


def link_user_id(url: str) -> int | None:
    """Return the user id of a `tg://user?id=N` link, None for any other link."""
    match = USER_LINK.match(url)
    return int(match[1]) if match else None


def check_link(url: str) -> tuple[str, str]:
    """Return (normalised link, "") or ("", the server's complaint).

    Telegram rejects a host without a dot.
    """
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


def link_entity(url: str) -> Entity | None:
    """Return what a link in markup becomes, without offset and length: a text_mention or a text_link.

    None when Telegram would leave the text without a link.
    """
    user = link_user_id(url)
    if user is not None:
        return {"type": "text_mention", "user": {"id": user}}
    link, _ = check_link(url)
    return {"type": "text_link", "url": link} if link else None
