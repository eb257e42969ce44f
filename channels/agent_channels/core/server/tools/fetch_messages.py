"""`fetch_messages`: what was said in a chat, from the platform where it keeps that for bots, else from our history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent_channels.core.contract.messages import Message
from agent_channels.core.errors import Refused
from agent_channels.core.journal.events import message_event
from agent_channels.core.journal.history_line import HistoryLine, said_of
from agent_channels.core.people.access import Verdict
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.runtime.status import iso_time
from agent_channels.core.text.sanitize import attribute, content

__all__ = ["recall"]

# Characters: of one text, of a quoted one, and of a whole result (hosts turn one of 120,000 into an error).
TEXT_MAX = 8_000
QUOTE_MAX = 200
RESULT_MAX = 80_000
PLATFORM, OWN = "the platform", "this program's own history"


@dataclass(frozen=True, slots=True)
class _Page:
    """Lines, oldest first, each with what names the page before it; `older` names the page before them all."""

    source: str
    lines: Sequence[tuple[HistoryLine, str]]
    older: str | None


async def recall(line: ChannelRuntime, chat_id: str, limit: int, before: str | None, query: str) -> str:
    """A page of a chat as JSON: chat_id, source, older (the `before` for the page before), messages, oldest first.

    Raises `Refused` for a chat that the gate would not deliver from, and for a `before` that nobody knows.
    """
    chat_id = await line.chat(line.access.now_called(chat_id))
    line.access.require_target(chat_id, line.adapter.channel)
    page = None if query.strip() else await _from_platform(line, chat_id, limit, before)
    return _written(line, chat_id, page or _from_history(line, chat_id, limit, before, query))


async def _from_platform(line: ChannelRuntime, chat_id: str, limit: int, before: str | None) -> _Page | None:
    found = await line.adapter.history(chat_id, limit, before)
    if found is None:
        return None
    lines = [(_said(line, message), message.message_id) for message in found if _passes(line, message)]
    return _Page(PLATFORM, lines, found[0].message_id if len(found) >= limit else None)


def _passes(line: ChannelRuntime, message: Message) -> bool:
    """Whether the gate lets it through, were it said to the bot; whoever it holds back speaks here neither."""
    if message.sender.id == line.bot_id:
        return True
    return line.access.decide(message.chat, message.sender, addressed=True) is Verdict.PASS


def _said(line: ChannelRuntime, message: Message) -> HistoryLine:
    event = message_event(message)
    said = said_of(
        event.chat_id, event.message_id, event.content, event.meta, event.thread_id, image=event.image is not None
    )
    return replace(said, own=message.sender.id == line.bot_id)


def _from_history(line: ChannelRuntime, chat_id: str, limit: int, before: str | None, query: str) -> _Page:
    found = line.history.page(chat_id, limit, before, query)
    if found is None:
        raise Refused(
            f"no message {before!r} of chat {chat_id!r} is known here; give a message_id of this chat, `older` of the "
            "last result, or leave before out for the newest messages"
        )
    return _Page(OWN, [(said, said.cursor) for said in found], found[0].cursor if len(found) >= limit else None)


def _written(line: ChannelRuntime, chat_id: str, page: _Page) -> str:
    """As many of the newest lines as fit; one a line, so that a cut by a host or a reader falls between two."""
    texts: list[str] = []
    older, size = page.older, 0
    for said, cursor in reversed(page.lines):
        text = json.dumps(_shown(line, said), ensure_ascii=False)
        size += len(text) + 2
        if size > RESULT_MAX and texts:
            break
        texts.append(text)
        older = cursor if len(texts) < len(page.lines) else page.older
    head: dict[str, Any] = {"chat_id": chat_id, "source": page.source, "older": older}
    if page.source == OWN:
        kept, since = line.history.kept(chat_id)
        head |= {"kept": kept, "kept_since": iso_time(since)}
    opening = json.dumps({**head, "messages": []}, ensure_ascii=False).removesuffix("]}")
    return f"{opening}{_indented(texts[::-1])}]}}"


def _indented(texts: Sequence[str]) -> str:
    return "\n" + ",\n".join(texts) + "\n" if texts else ""


def _shown(line: ChannelRuntime, said: HistoryLine) -> dict[str, Any]:
    """A line for the agent: sanitised as an event is, without what does not apply."""
    text = content(said.text)
    shown = {
        "message_id": said.message_id,
        "ts": iso_time(said.at),
        "user": attribute(said.user),
        "user_id": said.user_id or None,
        "yours": said.own or None,
        "kind": None if said.kind == "message" else said.kind,
        "text": text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…",
        "cut_from": len(text) if len(text) > TEXT_MAX else None,
        "reply_to": _answered(line, said),
        "thread_id": said.thread_id,
        "thread_name": attribute(said.thread_name) if said.thread_name else None,
        "files": [attribute(name) for name in said.files] or None,
        "forward_from": attribute(said.forward_from) if said.forward_from else None,
        "edited": said.edited or None,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _answered(line: ChannelRuntime, said: HistoryLine) -> dict[str, str] | None:
    """The message that this one answers, as far as it is known."""
    if said.reply_to is None:
        return None
    user, text = said.reply_user, said.reply_text
    if user is None or text is None:
        known = line.history.one(said.chat_id, said.reply_to)
        user, text = (user or known.user, text or known.text) if known else (user, text)
    shown = {"message_id": attribute(said.reply_to)}
    if user:
        shown["user"] = attribute(user)
    if text:
        shown["text"] = attribute(text, QUOTE_MAX)
    return shown
