"""`channels yt2pdf`: the steps from a link to a video to PDFs of its summary, for the agent that writes the summary.

Each prints one JSON object on stdout, and what it does on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import (
    CHANNEL_NAMES,
    WrongUsage,
    add_command,
    add_json,
    set_up_channels,
    the_channel,
)
from agent_channels.cli.language import shown
from agent_channels.core.errors import ConfigError, Refused, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.store.database import Store
from agent_channels.core.text.video_links import is_video_id, link_video
from agent_channels.recipes.yt2pdf.captions import get_transcript
from agent_channels.recipes.yt2pdf.check import Checked, check_summary, lead_of
from agent_channels.recipes.yt2pdf.delivery import reply_arguments
from agent_channels.recipes.yt2pdf.failures import VideoFailure
from agent_channels.recipes.yt2pdf.library import LANGUAGES, VideoLibrary
from agent_channels.recipes.yt2pdf.network import require_extra
from agent_channels.recipes.yt2pdf.picture import fetch_picture
from agent_channels.recipes.yt2pdf.transcript import VideoTranscript
from agent_channels.recipes.yt2pdf.upload import UploadFailed, delete_uploads, upload
from agent_channels.recipes.yt2pdf.video import Video, look_up
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "make PDFs of a YouTube video's summary, step by step, for the agent that writes it"
TEXT_MAX_BYTES = 2 * 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    metadata = add_command(actions, "metadata", "look up title, channel, length and chapters")
    transcript = add_command(
        actions, "transcript", "get what is said, with times: captions, else the sound written down"
    )
    check = add_command(actions, "check", "find what is wrong with a summary: length, time links, tags, language")
    pdf = add_command(actions, "pdf", "make a PDF of a summary")
    run_ = add_command(actions, "run", "first get the transcript; with both summaries, check them and make the PDFs")
    delete = add_command(actions, "delete", "delete everything of a video, uploads too")
    for action in (metadata, transcript, check, pdf, run_, delete):
        action.add_argument("video", metavar="VIDEO", type=_video_id, help="a link to it, or its id")
        action.add_argument("--channel", choices=CHANNELS, help=_channel_help())
        add_json(action, help="it prints JSON anyway")
    for action in (transcript, run_):
        action.add_argument("--language", metavar="CODE", help="of the captions, such as en; default: what is spoken")
    for action in (check, pdf):
        action.add_argument("file", metavar="FILE", type=_text, help="the summary in Markdown")
        action.add_argument("--lang", choices=LANGUAGES, required=True, help="the language of the summary")
    run_.add_argument("--en", metavar="FILE", type=_text, help="the summary in English, in Markdown")
    run_.add_argument("--zh", metavar="FILE", type=_text, help="the summary in Traditional Chinese, in Markdown")
    run_.add_argument("--anyway", action="store_true", help="make the PDFs whatever the check finds")


def run(args: argparse.Namespace) -> int:
    """Take one step, and print what came of it."""
    require_extra()
    try:
        found = _step(args)
    except VideoFailure as failure:
        reason = {"error": words_of(failure), "kind": failure.kind, "way_out": failure.way_out}
        print(json.dumps({"ok": False, **reason}, ensure_ascii=False))
        print(f"channels: {shown(words_of(failure))}", file=sys.stderr)
        return 1
    # A summary with findings is none yet, unless it is wanted anyway.
    ok = found.get("passed") is not False or "reply" in found
    print(json.dumps({"ok": ok, **found}, ensure_ascii=False))
    return 0 if ok else 1


def _step(args: argparse.Namespace) -> Mapping[str, Any]:
    desk = _Desk(args)
    match args.action:
        case "metadata":
            found: Mapping[str, Any] = {"video": desk.video.to_json(), **desk.kept()}
        case "transcript":
            found = desk.transcript_facts()
        case "check":
            found = desk.check(args.lang, args.file).to_json()
        case "pdf":
            found = desk.pdf(args.lang, args.file)[1]
        case "delete":
            found = desk.delete()
        case _:
            found = desk.run()
    desk.prune()
    return found


class _Desk:
    """Where one video is worked on: the files of a channel, and its settings."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._env = Environment(args.channel or _only_channel())
        _require_set_up(self._env)
        self._settings: Settings = load(channel(self._env.channel).settings, self._env)
        set_language(self._settings.language)
        self._files = Files(self._env.state_dir, quota_mb=self._settings.files_quota_mb)
        self._library = VideoLibrary(self._files)

    @cached_property
    def video(self) -> Video:
        """The video: as it was looked up before, or now."""
        return self._library.video(self._args.video) or self._look_up()[0]

    def _look_up(self) -> tuple[Video, Mapping[str, Any]]:
        _say(sentence("Looking up {video} ...", video=self._args.video))
        video, info = look_up(self._args.video, self._settings.yt2pdf_cookies)
        self._library.keep_video(video)
        return video, info

    def kept(self) -> dict[str, Any]:
        """Return the files of the video that people may want."""
        paths = {kind: self._library.path(self.video, kind) for kind in ("transcript.md", "en.md", "zh-TW.md")}
        found = {kind: str(path) for kind, path in paths.items() if path.is_file()}
        transcript = found.pop("transcript.md", None)
        return {"transcript": transcript, "notes": list(found.values())}

    def transcript_facts(self) -> dict[str, Any]:
        """Get the transcript, if it was not got before; return where it is, and what it is."""
        transcript = self._transcript()
        path = self._library.keep_transcript(self.video, self._args.language, transcript)
        facts = {
            "path": str(path),
            "language": transcript.language,
            "source": transcript.source,
            "timed": transcript.timed,
            "words": sum(len(line.text.split()) for line in transcript.lines),
        }
        return {"video": self.video.to_json(), "transcript": facts}

    def _transcript(self) -> VideoTranscript:
        language = self._args.language
        if (kept := self._library.transcript(self._args.video, language)) is not None:
            return kept
        # Looked up even if the video is kept: the addresses of its captions are not, since they hold for hours only.
        video, info = self._look_up()
        _say(sentence("Getting what is said ..."))
        return get_transcript(video, info, self._settings, language, _progress)

    def check(self, language: str, markdown: str) -> Checked:
        """Return what is wrong with a summary."""
        return check_summary(self.video, language, markdown, timed=self._timed)

    @cached_property
    def _timed(self) -> bool:
        transcript = self._library.transcript(self._args.video, None)
        return transcript is None or transcript.timed

    def pdf(self, language: str, markdown: str) -> tuple[Path, dict[str, Any]]:
        """Make a PDF, and keep the summary beside it; return its path, and the facts about it."""
        # Imported here: it brings in the parser of Markdown.
        from agent_channels.recipes.yt2pdf.pdf import render_pdf

        video, began = self.video, time.monotonic()
        _say(sentence("Making the PDF ({language}) ...", language=language))
        made = render_pdf(video, language, markdown, self._picture)
        self._library.keep(video, f"{language}.md", markdown.encode())
        path = self._library.keep(video, f"{language}.pdf", made.data)
        facts = {"path": str(path), "pages": made.pages, "bytes": len(made.data)}
        return path, facts | {"seconds": round(time.monotonic() - began, 2)}

    @cached_property
    def _picture(self) -> bytes | None:
        if (kept := self._library.picture(self.video.id)) is not None:
            return kept
        if (picture := fetch_picture(self.video)) is not None:
            self._library.keep_picture(self.video.id, picture)
        return picture

    def run(self) -> dict[str, Any]:
        """Without summaries, get the transcript; with them, make the PDFs and say how to send them."""
        summaries = {"en": self._args.en, "zh-TW": self._args.zh}
        if not any(summaries.values()):
            return self.transcript_facts()
        if not all(summaries.values()):
            raise WrongUsage(sentence("give both summaries: --en FILE --zh FILE"))
        checked = {name: self.check(name, text) for name, text in summaries.items()}
        findings: dict[str, Any] = {name: found.to_json() for name, found in checked.items()}
        passed = not any(found.problems for found in checked.values())
        if not passed and not self._args.anyway:
            return {"passed": False, "check": findings}
        made = {name: self.pdf(name, text) for name, text in summaries.items()}
        paths = [path for path, _ in made.values()]
        links, failed = self._upload(paths) if self._settings.yt2pdf_s3 else ({}, "")
        lead = lead_of(summaries[self._settings.language])
        found = {"passed": passed, "check": findings, "pdfs": {name: facts for name, (_, facts) in made.items()}}
        if failed:
            found["upload_error"] = failed
        days = self._settings.yt2pdf_s3_days
        return found | {"reply": reply_arguments(self.video, lead, paths, links, days, upload_failed=bool(failed))}

    def _upload(self, paths: list[Path]) -> tuple[dict[str, str], str]:
        """Return the links by language; if it failed, none, and why."""
        _say(sentence("Uploading ..."))
        try:
            keys, links = upload(self._env, self._settings, self.video.id, paths)
        except (UploadFailed, Refused) as error:
            _say(sentence("The upload failed ({error}); the PDFs are sent as files.", error=words_of(error)))
            return {}, words_of(error)
        self._library.keep_uploads(self.video.id, keys)
        return dict(zip(LANGUAGES, links, strict=True)), ""

    def delete(self) -> dict[str, Any]:
        """Delete what was kept and uploaded; return the names."""
        keys = self._library.uploads(self._args.video)
        if keys:
            delete_uploads(self._env, self._settings, keys)
        return {"deleted": self._library.delete(self._args.video), "deleted_uploads": keys}

    def prune(self) -> None:
        """Delete the oldest files above the quota, as the server does; those of unanswered messages stay."""
        with suppress(StoreError, ConfigError, OSError), Store.open_existing(self._env.state_dir) as store:
            self._files.prune(Services.of(store).inbox.open_files(), self._settings.keep_days)


def _only_channel() -> str:
    if not set_up_channels():
        raise ConfigError(
            sentence(
                "no channel is set up in this project, and its folder keeps the files; run `channels setup CHANNEL` "
                "first ({names})",
                names=CHANNEL_NAMES,
            )
        )
    return the_channel()


def _require_set_up(env: Environment) -> None:
    """Raise `ConfigError` with the next step unless a channel's folder is there and this user's own."""
    try:
        with StateFolder.opened(env.state_dir) as folder:
            folder.require_known()
    except FileNotFoundError:
        raise ConfigError(
            sentence(
                "{folder} is not set up; run `channels setup {channel}`", folder=env.state_dir, channel=env.channel
            )
        ) from None


def _video_id(text: str) -> str:
    found = text if is_video_id(text) else link_video(text)
    if found is None:
        raise WrongUsage(
            sentence("{text!r} is not a link to a YouTube video; write it as https://youtu.be/ID", text=text[:200])
        )
    return found


def _text(name: str) -> str:
    """Return the text of a file. Raises `WrongUsage` if it cannot be read."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(TEXT_MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongUsage(
            sentence("{path} cannot be read ({error}); name a text file in UTF-8", path=name, error=reason)
        ) from None
    if len(data) > TEXT_MAX_BYTES or not text.strip():
        raise WrongUsage(sentence("{path} is empty, or too large for a summary", path=name))
    return text


def _channel_help() -> str:
    return sentence("whose folder keeps the files: {names}; default: the one that is set up here", names=CHANNEL_NAMES)


def _say(text: str) -> None:
    print(shown(text), file=sys.stderr, flush=True)


def _progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
