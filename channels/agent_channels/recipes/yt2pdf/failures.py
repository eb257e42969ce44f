"""Why a video gave no transcript: each reason with its name and its way out, whichever library met it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Literal

from agent_channels.core.errors import ChannelError
from agent_channels.core.i18n.sentences import Sentence, joined, sentence
from agent_channels.core.log import redact
from agent_channels.core.text.sanitize import label

__all__ = ["FailureKind", "VideoFailure", "failure_of"]

FailureKind = Literal[
    "bot_check", "age", "members", "private", "region", "unavailable", "upcoming", "no_captions", "too_long", "network",
    "changed",
]  # fmt: skip

# kind -> what happened, and what can be done about it.
_SENTENCES: dict[str, tuple[Sentence, Sentence]] = {
    "bot_check": (
        sentence("YouTube asks this machine to prove that it is no bot"),
        sentence(
            "wait an hour and try again, or use another network or proxy (HTTPS_PROXY); if that does not help, have "
            "the operator name a browser's cookies.txt as yt2pdf_cookies in config.yaml"
        ),
    ),
    "age": (
        sentence("the video is shown only to those who signed in and are old enough"),
        sentence("have the operator name a browser's cookies.txt as yt2pdf_cookies in config.yaml"),
    ),
    "members": (
        sentence("the video is for members of its channel"),
        sentence("have the operator name the cookies.txt of a member's browser as yt2pdf_cookies in config.yaml"),
    ),
    "private": (
        sentence("the video is private"),
        sentence("ask its owner to share it, or have the operator name the cookies.txt of somebody who may see it"),
    ),
    "region": (
        sentence("the video is not shown in this machine's country"),
        sentence("use a proxy in a country where it is shown (HTTPS_PROXY)"),
    ),
    "unavailable": (sentence("there is no such video any more"), sentence("check the link")),
    "upcoming": (
        sentence("the video has not begun, or is still live"),
        sentence("ask again some hours after it has ended"),
    ),
    "no_captions": (
        sentence("the video has no captions, and what is said in it cannot be written down here"),
        sentence("have the operator set transcribe in config.yaml, for example to local"),
    ),
    "too_long": (
        sentence("the video has no captions and is too long to write down what is said in it"),
        sentence("ask for a shorter one"),
    ),
    "network": (
        sentence("YouTube cannot be reached"),
        sentence("check this machine's connection and its proxy (HTTPS_PROXY), and try again"),
    ),
    "changed": (
        sentence("YouTube answered in a way that this version does not understand"),
        sentence("bring newer versions: `pip install -U yt-dlp youtube-transcript-api`"),
    ),
}
# What libraries and the site say, most special first.
_SAID: dict[FailureKind, tuple[str, ...]] = {
    "bot_check": (
        "not a bot", "429 Client", "Error 429", "too many requests", "RequestBlocked", "IpBlocked", "captcha",
        "IP is likely being blocked", "rate-limited", "try again later", "PO Token", "FailedToCreateConsentCookie",
    ),
    "age": ("confirm your age", "age.restricted", "inappropriate for some users", "AgeRestricted"),
    "members": ("members.only", "join this channel", "available to this channel's members"),
    "private": ("private video", "video is private"),
    "region": ("in your country", "geo.?restrict"),
    "upcoming": ("premieres? in", "live event will begin", "will begin in", "is live now"),
    "network": (
        "TransportError", "ProxyError", "SSLError", "ConnectionError", "timed out", "Timeout", "unable to connect",
        r"Error 5\d\d", r"5\d\d Server Error", "name or service not known", "name resolution", "connection refused",
        "network is unreachable",
    ),
    "unavailable": ("unavailable", "removed", "no longer available", "does not exist", "terminated"),
    "no_captions": ("TranscriptsDisabled", "NoTranscriptFound", "subtitles are disabled"),
}  # fmt: skip
_PATTERNS = {kind: re.compile("|".join(words), re.IGNORECASE) for kind, words in _SAID.items()}
DETAIL_MAX = 300


class VideoFailure(ChannelError):
    """A video gave no words. `kind` names the reason, `way_out` says what can be done, `detail` what was said."""

    def __init__(self, kind: FailureKind, detail: str = "") -> None:
        what, self.way_out = _SENTENCES[kind]
        self.kind, self.what = kind, what
        self.detail = label(redact(detail), DETAIL_MAX)
        said = [sentence("it said: {words}", words=self.detail)] if self.detail else []
        super().__init__(joined([what, self.way_out, *said]))


def failure_of(error: BaseException, warnings: Sequence[str] = ()) -> VideoFailure:
    """Return what an error of a library that talks to the site means; `warnings` are what it said before."""
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, VideoFailure):
            return one
    said = " | ".join([*(f"{type(one).__name__}: {one}" for one in chain), *warnings])
    detail = _first_line(str(getattr(error, "reason", None) or error) or type(error).__name__)
    for kind, pattern in _PATTERNS.items():
        if pattern.search(said):
            return VideoFailure(kind, detail)
    if any(isinstance(one, socket.gaierror | ssl.SSLError | ConnectionError | TimeoutError) for one in chain):
        return VideoFailure("network", detail)
    return VideoFailure("changed", detail)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        wrapped = getattr(error, "exc_info", None)
        inner = wrapped[1] if isinstance(wrapped, tuple) and len(wrapped) > 1 else None
        cause = getattr(error, "cause", None)
        error = next(
            (
                one
                for one in (inner, cause, error.__cause__, error.__context__)
                if isinstance(one, BaseException) and id(one) not in seen
            ),
            None,
        )


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^(?:ERROR: )?(?:\[youtube\] )?(?:[\w-]{11}: )?", "", lines[0]) if lines else ""
