"""The bot's actions in Discord: one function for each, each one request wherever the platform allows it."""

from __future__ import annotations

import json
import logging
import mimetypes
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import anyio
from discord.http import HTTPClient, Route

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.errors import Ambiguous, Forbidden, Refused, Rejected, ReplyRefused, Unsupported
from agent_channels.core.files.streaming import upload_name
from agent_channels.core.text.formatted_text import FormattedText, RenderedPart
from agent_channels.core.text.units import length
from agent_channels.discord.errors import translated
from agent_channels.discord.formatting import draw
from agent_channels.discord.markup import LIMITS, closed_components, components, escape_markup, snapshot, to_content

__all__ = [
    "TIMEOUT",
    "active_threads",
    "attachment_url",
    "call",
    "checked_id",
    "close_panel",
    "delete",
    "edit",
    "edit_keyboard",
    "find_chat",
    "group_files",
    "messages_after",
    "newest_messages",
    "own_reaction",
    "react",
    "send",
]

logger = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
# "Create Message": files in one message.
FILES_MAX = 10
# GET /channels/{id}/messages returns at most this many.
PAGE = 100
# After an ambiguous cut the same nonce is sent again: Discord then returns the message it has, or posts it.
TRIES = 3
NO_PINGS: dict[str, Any] = {"parse": [], "replied_user": False}
SUPPRESS_EMBEDS, SILENT = 1 << 2, 1 << 12


def checked_id(value: str, name: str) -> str:
    """Return a Discord id unchanged. `name` is the argument's name in the error.

    Raises `Refused` for anything else: ids become parts of URLs, and names are never used to address a chat.
    """
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise Refused(f"{name} {value[:80]!r} is not a Discord id; it is a number, as in the event's meta")
    return value


async def call(
    http: HTTPClient, method: str, path: str, body: dict[str, Any] | list[Any] | None = None, **options: Any
) -> Any:
    """Send one request to the REST API and return the JSON answer. `path` must hold nothing but checked ids."""
    if body is not None:
        options["json"] = body
    with translated():
        return await http.request(Route(method, path), timeout=TIMEOUT, **options)


# ---- messages


async def send(http: HTTPClient, outgoing: Outgoing, *, suppress: bool) -> Sent:
    """Send a text, a file, or several. The nonce makes it safe to ask again after a connection was cut.

    `suppress`: links do not unfold into previews.
    """
    if outgoing.only_for:
        raise Unsupported("on Discord only answers to taps and commands are seen by one person alone")
    channel = checked_id(outgoing.chat_id, "chat_id")
    if outgoing.thread_id and outgoing.thread_id != outgoing.chat_id:
        raise Refused("on Discord a thread is a chat of its own; give its id as chat_id and leave thread_id out")
    body: dict[str, Any] = {
        "content": _content(outgoing),
        "allowed_mentions": NO_PINGS,
        "nonce": secrets.token_hex(12),
        "enforce_nonce": True,
        "flags": (SUPPRESS_EMBEDS if suppress else 0) | (SILENT if outgoing.silent else 0),
        "components": components(outgoing.keyboard),
    }
    if outgoing.reply_to:
        message = checked_id(outgoing.reply_to, "reply_to")
        body["message_reference"] = {"message_id": message, "fail_if_not_exists": False}
    route = Route("POST", f"/channels/{channel}/messages")
    files = outgoing.album or tuple(filter(None, [outgoing.file]))
    for left in reversed(range(TRIES)):
        try:
            with translated():
                return _sent(await _post(http, route, body, files))
        except Ambiguous:
            if not left:
                raise
            await anyio.sleep(0.1)
    raise AssertionError("unreachable")


def _content(outgoing: Outgoing) -> str:
    # A text in Markdown was drawn by `render`.
    if outgoing.format == "text" and outgoing.spans:
        return draw(FormattedText(outgoing.text, outgoing.spans))
    return to_content(outgoing.text, outgoing.format)


async def _post(http: HTTPClient, route: Route, body: dict[str, Any], files: Sequence[OpenFile]) -> Any:
    if not files:
        return await http.request(route, json=body, timeout=TIMEOUT)
    form: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(body), "content_type": "application/json"}
    ]
    with ExitStack() as opened:
        for number, file in enumerate(files):
            form.append(
                {
                    "name": f"files[{number}]",
                    "value": opened.enter_context(file.stream()),
                    "filename": upload_name(file.name),
                    "content_type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
                }
            )
        return await http.request(route, form=form, timeout=TIMEOUT)


def group_files(files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
    """Put as many files into each message as it takes."""
    return [tuple(files[at : at + FILES_MAX]) for at in range(0, len(files), FILES_MAX)]


async def edit(http: HTTPClient, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
    """Replace a message's text and components."""
    content = to_content(part.text, part.format)
    body = {"content": content, "components": components(keyboard), "allowed_mentions": NO_PINGS}
    return _sent(await call(http, "PATCH", _message(chat_id, message_id), body))


async def edit_keyboard(http: HTTPClient, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replace a message's components."""
    await call(http, "PATCH", _message(chat_id, message_id), {"components": components(keyboard)})


async def delete(http: HTTPClient, chat_id: str, message_id: str) -> None:
    """Delete a message."""
    await call(http, "DELETE", _message(chat_id, message_id))


async def close_panel(
    http: HTTPClient,
    chat_id: str,
    message_id: str,
    before: str | None,
    outcome: str,
    chosen: KeyboardButton | None,
    reply: Callable[[Outgoing], Awaitable[Sent]],
) -> None:
    """Write the outcome under the text; without room, reply with it. Of the buttons only `chosen` stays, disabled.

    `before` is the message's snapshot; `reply` sends a message.
    """
    text = str(json.loads(before).get("content", "")) if before else ""
    content = f"{text}\n\n{escape_markup(outcome)}"
    fits = bool(text and outcome) and length(content, LIMITS.unit) <= LIMITS.text
    body: dict[str, Any] = {"components": closed_components(chosen)}
    if fits:
        body |= {"content": content, "allowed_mentions": NO_PINGS}
    await call(http, "PATCH", _message(chat_id, message_id), body)
    if outcome and not fits:
        alone = Outgoing(chat_id, outcome, silent=True)
        try:
            await reply(replace(alone, reply_to=message_id))
        except ReplyRefused:
            await reply(alone)


# ---- reactions


async def react(http: HTTPClient, chat_id: str, message_id: str, emoji: str, *, before: str | None) -> None:
    """Set the bot's one reaction in place of `before`; an empty string only removes that one."""
    base = f"{_message(chat_id, message_id)}/reactions"
    if emoji and emoji != before:
        await call(http, "PUT", f"{base}/{_emoji(emoji)}/@me")
    if before and before != emoji:
        await call(http, "DELETE", f"{base}/{_emoji(before)}/@me")


async def own_reaction(http: HTTPClient, chat_id: str, message_id: str) -> str | None:
    """Return the bot's reaction to a message, in the form that `react` takes."""
    found = await call(http, "GET", _message(chat_id, message_id))
    own = [reaction["emoji"] for reaction in found.get("reactions") or () if reaction.get("me")]
    return (f"{own[0]['name']}:{own[0]['id']}" if own[0].get("id") else str(own[0]["name"])) if own else None


# ---- chats and their history


async def find_chat(http: HTTPClient, chat_id: str) -> dict[str, Any] | None:
    """Return the channel with this id, or the direct chat of the person with it; None if the bot has no access."""
    try:
        return cast("dict[str, Any]", await call(http, "GET", f"/channels/{chat_id}"))
    except (Forbidden, Rejected):
        pass
    try:
        return cast("dict[str, Any]", await call(http, "POST", "/users/@me/channels", {"recipient_id": chat_id}))
    except (Forbidden, Rejected) as error:
        logger.info("%s cannot be looked up: %s", chat_id, error)
        return None


async def active_threads(http: HTTPClient, guild_id: str) -> list[dict[str, Any]]:
    """Return the threads of a server that are not archived."""
    try:
        return list((await call(http, "GET", f"/guilds/{guild_id}/threads/active")).get("threads") or ())
    except (Forbidden, Rejected):
        return []


async def messages_after(http: HTTPClient, channel_id: str, after: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the messages of a channel after one of them, oldest first."""
    while True:
        params = {"after": after, "limit": str(PAGE)}
        try:
            page = await call(http, "GET", f"/channels/{channel_id}/messages", params=params)
        except (Forbidden, Rejected) as error:
            logger.info("channel %s cannot be read: %s", channel_id, error)
            return
        for message in sorted(page, key=lambda message: int(message["id"])):
            after = str(message["id"])
            yield message
        if len(page) < PAGE:
            return


async def newest_messages(http: HTTPClient, chat_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """Return the newest messages of a channel, older than `before` if given, oldest first."""
    params = {"limit": str(min(limit, PAGE))} | ({"before": checked_id(before, "before")} if before else {})
    found = await call(http, "GET", f"/channels/{checked_id(chat_id, 'chat_id')}/messages", params=params)
    return sorted(cast("list[dict[str, Any]]", found), key=lambda message: int(message["id"]))


async def attachment_url(http: HTTPClient, attachment: Attachment) -> tuple[str, int]:
    """Return the URL that a file has now, and its size in bytes. Raises `Rejected` when there is no such file."""
    channel, message, wanted = [*attachment.file_id.split("."), "", ""][:3]
    if not all(part.isascii() and part.isdigit() for part in (channel, message, wanted)):
        raise Rejected(f"{attachment.file_id[:80]!r} is not the id of a file on Discord")
    found = await call(http, "GET", _message(channel, message))
    messages = [found, *(snapshot["message"] for snapshot in found.get("message_snapshots") or ())]
    for file in (file for message in messages for file in message.get("attachments") or ()):
        if file["id"] == wanted:
            return str(file["url"]), int(file["size"])
    raise Rejected("Discord does not have the file any more; ask the sender to send it again")


def _message(chat_id: str, message_id: str) -> str:
    return f"/channels/{checked_id(chat_id, 'chat_id')}/messages/{checked_id(message_id, 'message_id')}"


def _emoji(emoji: str) -> str:
    # A server's own emoji is <:name:id> in messages, and name:id in URLs.
    return quote(emoji.strip("<>").removeprefix("a:").removeprefix(":"), safe="")


def _sent(message: Any) -> Sent:
    return Sent(str(message["id"]), snapshot(cast("dict[str, Any]", message)))
