"""What was got and made of each video, among the files of a channel: whose quota and age decide how long it stays.

By video and language, so that asking again costs nothing. What a person gets to see in a chat has the video's title in
its name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agent_channels.core.files.storage import Files
from agent_channels.core.settings.private_files import write_atomically
from agent_channels.recipes.yt2pdf.transcript import VideoTranscript
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["LANGUAGES", "VideoLibrary"]

# The summaries' languages.
LANGUAGES = ("en", "zh-TW")
NAME_MAX = 60
_KINDS = (
    r"(?:video\.json|[A-Za-z-]+\.transcript\.json|picture\.jpg|transcript\.md|(?:en|zh-TW)\.(?:md|pdf)|upload\.json)"
)
_Made = TypeVar("_Made")


class VideoLibrary:
    """The files of videos in a channel's folder."""

    def __init__(self, files: Files) -> None:
        self._files = files

    # ---- what was got

    def video(self, video_id: str) -> Video | None:
        """Return a video that was looked up before."""
        return self._read(f"yt2pdf-{video_id}.video.json", Video.from_json)

    def keep_video(self, video: Video) -> None:
        """Keep what is known of a video."""
        self._write(f"yt2pdf-{video.id}.video.json", _dump(video.to_json()))

    def transcript(self, video_id: str, language: str | None) -> VideoTranscript | None:
        """Return a transcript that was got before: in a language, or in whichever was chosen."""
        return self._read(_transcript_name(video_id, language), VideoTranscript.from_json)

    def keep_transcript(self, video: Video, language: str | None, transcript: VideoTranscript) -> Path:
        """Keep a transcript; return the path of the one that people read."""
        self._write(_transcript_name(video.id, language), _dump(transcript.to_json()))
        return self.keep(video, "transcript.md", transcript.to_markdown(video).encode())

    def picture(self, video_id: str) -> bytes | None:
        """Return the video's picture."""
        try:
            return self._touched(f"yt2pdf-{video_id}.picture.jpg").read_bytes()
        except OSError:
            return None

    def keep_picture(self, video_id: str, data: bytes) -> None:
        """Keep the video's picture."""
        self._write(f"yt2pdf-{video_id}.picture.jpg", data)

    # ---- what was made

    def path(self, video: Video, kind: str) -> Path:
        """Return where a file of a video lies, such as `en.pdf`, that people get; it may not exist."""
        words = re.sub(r"[\W_]+", "-", video.title)[:NAME_MAX].strip("-")
        return self._files.path_of(f"{words or 'video'}-{video.id}.{kind}")

    def keep(self, video: Video, kind: str, data: bytes) -> Path:
        """Keep such a file; return its path."""
        path = self.path(video, kind)
        write_atomically(path, data)
        return path

    def uploads(self, video_id: str) -> list[str]:
        """Return the names under which the video's PDFs were uploaded."""
        return self._read(f"yt2pdf-{video_id}.upload.json", lambda found: [str(key) for key in found["keys"]]) or []

    def keep_uploads(self, video_id: str, keys: list[str]) -> None:
        """Keep the names under which the video's PDFs were uploaded."""
        self._write(f"yt2pdf-{video_id}.upload.json", _dump({"keys": keys}))

    def delete(self, video_id: str) -> list[str]:
        """Delete everything of a video; return the names of the files."""
        folder = self._files.path_of("")
        ours = re.compile(rf".*-{re.escape(video_id)}\.{_KINDS}")
        found = sorted(path for path in folder.iterdir() if ours.fullmatch(path.name) and path.is_file())
        for path in found:
            path.unlink(missing_ok=True)
        return [path.name for path in found]

    # ---- reading and writing

    def _touched(self, name: str) -> Path:
        """Return the path of a file that is used now, and so is not among the oldest."""
        path = self._files.path_of(name)
        if path.is_file() and not path.is_symlink():
            os.utime(path)
        return path

    def _read(self, name: str, make: Callable[[Mapping[str, Any]], _Made]) -> _Made | None:
        """Return what a file holds; None if there is none, or it is of another version."""
        try:
            return make(json.loads(self._touched(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self._files.path_of(name), data)


def _dump(found: Mapping[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()


def _transcript_name(video_id: str, language: str | None) -> str:
    plain = re.sub(r"[^A-Za-z-]", "", language or "") or "best"
    return f"yt2pdf-{video_id}.{plain}.transcript.json"
