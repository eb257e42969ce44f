"""What is known of a video: title, channel, length, date, chapters, picture. All of it is a stranger's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.video_links import link_to
from agent_channels.recipes.yt2pdf.failures import VideoFailure
from agent_channels.recipes.yt2pdf.network import called, downloader

__all__ = ["Chapter", "Video", "clock", "look_up"]

TITLE_MAX, CHAPTERS_MAX = 300, 200


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a video that its author named."""

    start_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Video:
    """A video. `uploaded` is an ISO date, `language` what is spoken; both may be empty, and so may `picture`, a URL."""

    id: str
    title: str
    channel: str
    length_s: float
    uploaded: str
    language: str
    picture: str
    chapters: tuple[Chapter, ...]

    @property
    def link(self) -> str:
        """The short link."""
        return link_to(self.id)

    @property
    def length(self) -> str:
        """The length in words that every language reads: `4:05`, `1:04:05`."""
        return clock(self.length_s)

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return what the library found of a video. Raises `VideoFailure` for one that is not over yet."""
        if info.get("live_status") in {"is_live", "is_upcoming", "post_live"}:
            raise VideoFailure("upcoming")
        return cls(
            id=str(info["id"]),
            title=attribute(str(info.get("title") or info["id"]), TITLE_MAX),
            channel=attribute(str(info.get("channel") or info.get("uploader") or ""), TITLE_MAX),
            length_s=float(info.get("duration") or 0),
            uploaded=_date(info.get("upload_date")),
            language=attribute(_spoken(info), 35),
            picture=_picture(info),
            chapters=tuple(
                Chapter(float(one.get("start_time") or 0), attribute(str(one.get("title") or ""), TITLE_MAX))
                for one in (info.get("chapters") or ())[:CHAPTERS_MAX]
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the video for JSON, with what is read off it."""
        return asdict(self) | {"link": self.link, "length": self.length}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the video that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        values = {name: found[name] for name in cls.__slots__}
        return cls(**values | {"chapters": tuple(Chapter(**one) for one in found["chapters"])})


def look_up(video_id: str, cookies: Path | None) -> tuple[Video, Mapping[str, Any]]:
    """Return a video, and all that the library found of it. Raises `VideoFailure`."""
    with called(downloader(cookies)) as library:
        info = library.extract_info(
            f"https://www.youtube.com/watch?v={video_id}", download=False, process=False, ie_key="Youtube"
        )
    if not isinstance(info, dict) or info.get("id") != video_id:
        raise VideoFailure("changed", "it answered with another video")
    return Video.of(info), info


def clock(seconds: float) -> str:
    """Return a time in a video as its player shows it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _date(compact: object) -> str:
    try:
        return datetime.strptime(str(compact), "%Y%m%d").date().isoformat()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return ""


def _spoken(info: Mapping[str, Any]) -> str:
    """Return the language of the original sound, else that in which a machine heard it; empty if neither is known."""
    sounds = [one for one in info.get("formats") or () if one.get("language")]
    original = max(sounds, key=lambda one: one.get("language_preference") or -1, default=None)
    if original is not None:
        return str(original["language"])
    heard = (name for name in info.get("automatic_captions") or () if name.endswith("-orig"))
    return next(heard, "").removesuffix("-orig")


def _picture(info: Mapping[str, Any]) -> str:
    """Return the address of the largest picture that is not larger than a page needs."""
    found = [one for one in info.get("thumbnails") or () if str(one.get("url") or "").startswith("https://")]
    fitting = [one for one in found if 0 < (one.get("width") or 0) <= 1280] or found
    best = max(fitting, key=lambda one: (one.get("width") or 0, one.get("preference") or 0), default=None)
    return str(best["url"]) if best else ""
