"""One line of what was said in a chat, from what the agent is shown, and as a search compares it."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent_channels.core.text.sanitize import CAPS

__all__ = ["CURSOR", "HistoryLine", "Kind", "fold", "said_of", "sought"]

Kind = Literal["message", "tap", "reaction"]
CURSOR = "#"


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a chat. `at`: epoch seconds; `files`: names, or kinds where a file has no name.

    `own`: sent for the agent. `id` only orders; 0 as long as the line is not stored.
    """

    chat_id: str
    message_id: str
    user: str
    user_id: str
    text: str
    at: float
    kind: Kind = "message"
    own: bool = False
    reply_to: str | None = None
    reply_user: str | None = None
    reply_text: str | None = None
    thread_id: str | None = None
    thread_name: str | None = None
    files: tuple[str, ...] = ()
    forward_from: str | None = None
    edited: bool = False
    id: int = 0

    @property
    def cursor(self) -> str:
        """Names the line exactly, where a message's id may stand for its taps and reactions too."""
        return f"{CURSOR}{self.id}"


def said_of(
    chat_id: str, message_id: str, text: str, meta: Mapping[str, str], thread_id: str | None, *, image: bool
) -> HistoryLine:
    """What a person said: `text` and `meta` as the agent is shown them; `image`: it holds a picture."""
    kind: Kind = "tap" if meta.get("button") else "reaction" if meta.get("reaction") else "message"
    attachments = meta.get("attachments")
    listed = json.loads(attachments) if attachments else [{"kind": "photo"}] * image
    return HistoryLine(
        chat_id=chat_id,
        message_id=message_id,
        user=meta.get("user", ""),
        user_id=meta.get("user_id", ""),
        text=text,
        at=_epoch(meta.get("ts")),
        kind=kind,
        reply_to=meta.get("reply_to_message_id"),
        reply_user=meta.get("reply_to_user"),
        reply_text=meta.get("reply_to_text"),
        thread_id=thread_id,
        thread_name=meta.get("thread_name"),
        files=tuple(str(file.get("name") or file.get("kind") or "file") for file in listed),
        forward_from=meta.get("forward_from"),
        edited=meta.get("edited") == "true",
    )


def _epoch(ts: str | None) -> float:
    try:
        return datetime.fromisoformat(ts or "").timestamp()
    except ValueError:
        return time.time()


def fold(text: str) -> str:
    """Text as it is compared: without case, full-width forms like narrow ones, half-width kana like whole ones."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def sought(said: HistoryLine, text: str | None = None) -> str:
    """What a search looks at: the text, who said it, and the names of files."""
    return fold("\n".join((said.text if text is None else text, said.user, *said.files)))[: 2 * CAPS["content"]]
