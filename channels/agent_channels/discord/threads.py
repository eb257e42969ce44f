"""Threads: opened in text channels and, as posts, in forums; renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import discord
from discord.http import HTTPClient

from agent_channels.core.errors import Forbidden
from agent_channels.discord.markup import escape_markup
from agent_channels.discord.outbound import NO_PINGS, call, checked_id

__all__ = ["FORUMS", "create", "rename"]

# "Channel Types": forums, and those that show media; a public thread.
FORUMS = frozenset({15, 16})
PUBLIC_THREAD = 11
# "Start Thread": the longest time of silence after which a thread is archived.
ARCHIVE_MINUTES = 10_080
# "JSON Error Codes".
MISSING_PERMISSIONS = 50013


async def create(http: HTTPClient, channel_id: str, name: str, *, post: bool) -> dict[str, Any]:
    """Open a thread and return it; `post`: in a forum, with its name as the first message, which it has to have."""
    body: dict[str, Any] = {"name": name, "auto_archive_duration": ARCHIVE_MINUTES}
    if post:
        body["message"] = {"content": escape_markup(name), "allowed_mentions": NO_PINGS}
    else:
        body["type"] = PUBLIC_THREAD
    with _naming_right("Send Messages" if post else "Create Public Threads"):
        return cast("dict[str, Any]", await call(http, "POST", f"/channels/{channel_id}/threads", body))


async def rename(http: HTTPClient, thread_id: str, name: str) -> None:
    """Rename a thread."""
    with _naming_right("Manage Threads"):
        await call(http, "PATCH", f"/channels/{checked_id(thread_id, 'chat_id')}", {"name": name})


@contextmanager
def _naming_right(right: str) -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        if isinstance(error.__cause__, discord.HTTPException) and error.__cause__.code == MISSING_PERMISSIONS:
            raise Forbidden(f"the bot's role lacks the permission {right} in this channel") from error
        raise
