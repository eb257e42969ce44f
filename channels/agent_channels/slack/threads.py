"""Threads: each begins with a message, whose text is the thread's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slack_sdk.web.async_client import AsyncWebClient

from agent_channels.core.contract.messages import Place
from agent_channels.core.errors import Forbidden, NotModified, Rejected, ThreadGone
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.text.formatted_text import FormattedText, Span
from agent_channels.slack.chats import checked_chat, checked_ts
from agent_channels.slack.errors import error_code
from agent_channels.slack.formatting import draw
from agent_channels.slack.http import call
from agent_channels.slack.markup import fallback

__all__ = ["create", "rename"]


async def create(client: AsyncWebClient, chat_id: str, name: str) -> Place:
    """Open a thread in a channel. In a direct chat its messages would be hidden behind the first one."""
    channel = checked_chat(chat_id)
    if channel.startswith("D"):
        raise Rejected("on Slack threads with a name are opened in channels, not in a direct chat")
    with _naming_what_is_missing():
        begun = await call(client.chat_postMessage(channel=channel, text=fallback(name), blocks=_named(name)))
    return Place(channel, str(begun["ts"]))


async def rename(client: AsyncWebClient, place: Place, name: str) -> None:
    """Write another name into the message that begins a thread."""
    channel, ts = checked_chat(place.chat_id), checked_ts(place.thread_id or "", "thread_id")
    try:
        with _naming_what_is_missing():
            await call(client.chat_update(channel=channel, ts=ts, text=fallback(name), blocks=_named(name)))
    except NotModified:
        pass
    except Rejected as error:
        if error_code(error.__cause__) == "message_not_found":
            raise ThreadGone(words_of(error)) from error
        raise


def _named(name: str) -> list[dict[str, object]]:
    return draw(FormattedText(name, (Span("bold", 0, len(name)),)))


@contextmanager
def _naming_what_is_missing() -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        raise Forbidden(f"Threads cannot be opened or named there: {words_of(error)}") from error
