"""Where a transcript comes from: captions by one library, else by the other, else the sound itself.

Captions that a person wrote go before those of a machine, and those in the language that is spoken before others.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio

from agent_channels.core.errors import Refused, Unavailable
from agent_channels.core.files.transcribe import Transcriber
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.settings.config import Settings
from agent_channels.recipes.yt2pdf.failures import VideoFailure, failure_of
from agent_channels.recipes.yt2pdf.network import Say, called, downloader, http_session
from agent_channels.recipes.yt2pdf.transcript import Line, Source, VideoTranscript, from_marks
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["get_transcript"]

Track = TypeVar("Track")

# Longer sound is not written down: it would take hours.
SOUND_MAX_S = 4 * 3600.0
SOUND_MAX_BYTES = 400 * 1024 * 1024
CAPTIONS_MAX_BYTES = 32 * 1024 * 1024
CHARACTERS_PER_HOUR = 90_000
# What else the summaries are made of, where nothing is there in the language that is spoken.
_READABLE = ("en", "zh")


def get_transcript(
    video: Video, info: Mapping[str, Any], settings: Settings, language: str | None, say: Say
) -> VideoTranscript:
    """Return what is said in a video, in a language if one is asked for.

    Raises `VideoFailure` with the reason why nothing gave a transcript, and `Refused` if writing down failed.
    """
    failures: list[VideoFailure] = []
    for name, read in (("youtube-transcript-api", _by_transcript_api), ("yt-dlp", _by_downloader)):
        say(f"captions of {video.id} by {name}")
        try:
            return read(video, info, settings, language)
        except VideoFailure as failure:
            say(f"{name}: {failure.what}")
            failures.append(failure)
    # Where one library was let in and found none, there are none.
    if not any(failure.kind == "no_captions" for failure in failures):
        raise failures[-1]
    return _by_ear(video, settings, say)


def _by_transcript_api(video: Video, _info: object, _settings: object, language: str | None) -> VideoTranscript:
    library = importlib.import_module("youtube_transcript_api")
    try:
        with http_session() as session:
            listed = list(library.YouTubeTranscriptApi(http_client=session).list(video.id))
            manual = {one.language_code: one for one in listed if not one.is_generated}
            automatic = {one.language_code: one for one in listed if one.is_generated}
            chosen = _choose(manual, video, language) or _choose(automatic, video, language)
            fetched = chosen.fetch() if chosen else None
    except Exception as error:
        raise failure_of(error) from error
    if fetched is None:
        raise VideoFailure("no_captions")
    return _with_words(
        VideoTranscript.of(
            fetched.language_code,
            "automatic captions" if fetched.is_generated else "manual captions",
            ((snippet.start, snippet.text) for snippet in fetched),
        )
    )


def _by_downloader(video: Video, info: Mapping[str, Any], settings: Settings, language: str | None) -> VideoTranscript:
    manual, automatic = info.get("subtitles") or {}, info.get("automatic_captions") or {}
    # Of the automatic ones those that are no translations.
    heard = {name.removesuffix("-orig"): formats for name, formats in automatic.items() if name.endswith("-orig")}
    heard = heard or {name: formats for name, formats in automatic.items() if not _is_translated(formats)}
    manual = {name: formats for name, formats in manual.items() if name != "live_chat"}
    source: Source = "manual captions"
    if (chosen := _choose(_named(manual), video, language)) is None:
        source, chosen = "automatic captions", _choose(_named(heard), video, language)
    track = next((one for one in chosen[1] if one.get("ext") == "json3"), None) if chosen else None
    if chosen is None or track is None:
        raise VideoFailure("no_captions")
    with called(downloader(settings.yt2pdf_cookies)) as library, library.urlopen(str(track["url"])) as answer:
        lines = _json3_lines(json.loads(answer.read(CAPTIONS_MAX_BYTES)))
    return _with_words(VideoTranscript.of(chosen[0], source, lines))


def _json3_lines(found: Mapping[str, Any]) -> Sequence[Line]:
    """Return the lines of captions in the site's own format: events of segments, times in milliseconds."""
    events = found["events"]
    texts = ((event, "".join(str(seg.get("utf8") or "") for seg in event.get("segs") or ())) for event in events)
    return [Line(float(event.get("tStartMs") or 0) / 1000, text) for event, text in texts if text.strip()]


def _with_words(transcript: VideoTranscript) -> VideoTranscript:
    if not transcript.lines:
        raise VideoFailure("no_captions", "the captions are empty")
    return transcript


def _named(tracks: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    return {name: (name, formats) for name, formats in tracks.items()}


def _is_translated(formats: Sequence[Mapping[str, Any]]) -> bool:
    return any("tlang=" in str(one.get("url")) for one in formats)


def _choose(tracks: Mapping[str, Track], video: Video, language: str | None) -> Track | None:
    """Return the captions in the language that is asked for, or else in the best one; None if there are none."""
    wanted = [language] if language else [video.language, *_READABLE]
    for name in filter(None, wanted):
        exact = tracks.get(name)
        short = name.split("-")[0]
        near = next((track for code, track in tracks.items() if code.split("-")[0] == short), None)
        if (found := exact or near) is not None:
            return found
    return None if language else next(iter(tracks.values()), None)


# ---- the sound


def _by_ear(video: Video, settings: Settings, say: Say) -> VideoTranscript:
    """Return what a program of the operator's choice heard. Raises `VideoFailure`, and `Refused` if it failed."""
    if not settings.transcribe:
        raise VideoFailure("no_captions")
    if video.length_s > SOUND_MAX_S:
        raise VideoFailure("too_long", f"{video.length}, at most {SOUND_MAX_S / 3600:.0f} h")
    hours = max(video.length_s, 60) / 3600
    transcriber = Transcriber(
        settings.transcribe,
        # Nobody takes longer to listen than it takes to speak.
        max(settings.transcribe_s, video.length_s),
        os.environ,
        characters_max=int(hours * CHARACTERS_PER_HOUR),
        times=True,
    )
    with tempfile.TemporaryDirectory(prefix="yt2pdf-") as folder:
        say(f"sound of {video.id}")
        path = _download_sound(video, settings, Path(folder))
        say(f"writing down {video.length} of sound; that takes a while")
        try:
            text = anyio.run(transcriber.transcribe, str(path))
        except (Refused, Unavailable) as error:
            raise Refused(f"the sound of the video was not written down: {words_of(error)}") from error
    return _with_words(from_marks(text, video.language or "?"))


def _download_sound(video: Video, settings: Settings, folder: Path) -> Path:
    options = {
        "format": "bestaudio[abr<=96]/worstaudio/worst",
        "outtmpl": {"default": str(folder / "sound.%(ext)s")},
        "max_filesize": SOUND_MAX_BYTES,
        "nopart": True,
        "fixup": "never",
    }
    with called(downloader(settings.yt2pdf_cookies, **options)) as library:
        library.extract_info(f"https://www.youtube.com/watch?v={video.id}", download=True, ie_key="Youtube")
    found = [path for path in folder.iterdir() if path.stat().st_size]
    if not found:
        raise VideoFailure("too_long", f"its sound has more than {SOUND_MAX_BYTES // 2**20} MB")
    return found[0]
