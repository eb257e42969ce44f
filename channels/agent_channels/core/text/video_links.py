"""Links to videos on YouTube, in every form that people share them: watch, youtu.be, shorts, live, embed."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from agent_channels.core.patterns import lazy_pattern

__all__ = ["find_video", "is_video_id", "link_to", "link_video"]

_ID = lazy_pattern(r"[A-Za-z0-9_-]{11}")
_SITES = {"youtube.com", "youtube-nocookie.com"}
_SUBDOMAIN = lazy_pattern(r"^(?:www|m|music)\.")
_FOLDERS = {"shorts", "live", "embed", "v"}
_LINK = lazy_pattern(
    r"(?<![\w@./-])(?:https?://)?(?:[a-z]+\.)?(?:youtu\.be|youtube(?:-nocookie)?\.com)/[^\s<>\"'`|]+", re.IGNORECASE
)
# A text with more links than this is not a person's wish about one of them.
_LINKS_MAX = 20


def is_video_id(text: str) -> bool:
    """Return whether a text has the form of a video's id."""
    return _ID.fullmatch(text) is not None


def link_video(link: str) -> str | None:
    """Return the id of the video that a link leads to; None for any other link."""
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
        host = _SUBDOMAIN.sub("", (parts.hostname or "").lower())
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"}:
        return None
    path = parts.path.strip("/").split("/")
    found = ""
    if host == "youtu.be":
        found = path[0]
    elif host in _SITES and path[0] == "watch":
        found = parse_qs(parts.query).get("v", [""])[0]
    elif host in _SITES and path[0] in _FOLDERS and len(path) > 1:
        found = path[1]
    return found if is_video_id(found) else None


def find_video(text: str) -> str | None:
    """Return the id of the first video that a text links to; None if it links to none."""
    for number, link in enumerate(_LINK.finditer(text)):
        if number == _LINKS_MAX:
            break
        if found := link_video(link[0].rstrip(".,;:!?)]}>*_~'\"，。；：！？）」』】》")):
            return found
    return None


def link_to(video_id: str, at_s: float | None = None) -> str:
    """Return the link to a video, or to a moment in it."""
    return f"https://youtu.be/{video_id}" + ("" if at_s is None else f"?t={int(at_s)}")
