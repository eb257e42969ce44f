"""What the bot does in Discord: one function a verb, each one request wherever the platform allows it."""

from __future__ import annotations

import json
import logging
import mimetypes
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import anyio
from discord.http import HTTPClient, Route

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import Keyboard, Outgoing, Sent
from agent_channels.core.errors import Ambiguous, Forbidden, Refused, Rejected, TooOld
from agent_channels.core.files.streaming import upload_name
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.discord.errors import translated
from agent_channels.discord.markup import LIMITS, components, escaped, rendered, snapshot

__all__ = [
    "TIMEOUT",
    "address",
    "answer",
    "call",
    "close_panel",
    "edit",
    "ident",
    "page",
    "reached",
    "react",
    "reaction",
    "redraw",
    "send",
    "since",
    "threads",
]

logger = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
# GET /channels/{id}/messages gives at most so many.
PAGE = 100
# After an ambiguous cut the same nonce is sent again: Discord then returns the message it has, or posts it.
TRIES = 3
NO_PINGS: dict[str, Any] = {"parse": [], "replied_user": False}
EPHEMERAL, SUPPRESS_EMBEDS, SILENT = 1 << 6, 1 << 2, 1 << 12


def ident(value: str, name: str) -> str:
    """A Discord id.

    Raises `Refused` for what is none: ids are put into addresses, and names are never used to address a chat.
    """
    if not (value.isascii() and value.isdigit() and len(value) <= 20):
        raise Refused(f"{name} {value[:80]!r} is not a Discord id; it is a number, as in the event's meta")
    return value


async def call(
    http: HTTPClient, method: str, path: str, body: dict[str, Any] | list[Any] | None = None, **options: Any
) -> Any:
    """One request of the REST API; `path` holds ids only."""
    if body is not None:
        options["json"] = body
    with translated():
        return await http.request(Route(method, path), timeout=TIMEOUT, **options)


async def send(http: HTTPClient, outgoing: Outgoing, *, suppress: bool) -> Sent:
    """Sends a text, a file, or several. The nonce makes it safe to ask again after a connection that was cut."""
    channel = ident(outgoing.chat_id, "chat_id")
    if outgoing.thread_id and outgoing.thread_id != outgoing.chat_id:
        raise Refused("on Discord a thread is a chat of its own; give its id as chat_id and leave thread_id out")
    body: dict[str, Any] = {
        "content": rendered(outgoing.text, outgoing.format, outgoing.code),
        "allowed_mentions": NO_PINGS,
        "nonce": secrets.token_hex(12),
        "enforce_nonce": True,
        "flags": (SUPPRESS_EMBEDS if suppress else 0) | (SILENT if outgoing.silent else 0),
        "components": components(outgoing.keyboard),
    }
    if outgoing.reply_to:
        message = ident(outgoing.reply_to, "reply_to")
        body["message_reference"] = {"message_id": message, "fail_if_not_exists": False}
    route = Route("POST", f"/channels/{channel}/messages")
    paths = outgoing.album or tuple(filter(None, [outgoing.path]))
    for left in reversed(range(TRIES)):
        try:
            with translated():
                return _sent(await _posted(http, route, body, paths))
        except Ambiguous:
            if not left:
                raise
            await anyio.sleep(0.1)
    raise AssertionError("unreachable")


async def _posted(http: HTTPClient, route: Route, body: dict[str, Any], paths: Sequence[str]) -> Any:
    if not paths:
        return await http.request(route, json=body, timeout=TIMEOUT)
    form: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps(body), "content_type": "application/json"}
    ]
    with ExitStack() as opened:
        for number, file in enumerate(map(Path, paths)):
            form.append(
                {
                    "name": f"files[{number}]",
                    "value": opened.enter_context(file.open("rb")),
                    "filename": upload_name(file),
                    "content_type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
                }
            )
        return await http.request(route, form=form, timeout=TIMEOUT)


async def edit(http: HTTPClient, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
    """Replaces a message's text and components."""
    content = rendered(part.text, part.format)
    body = {"content": content, "components": components(keyboard), "allowed_mentions": NO_PINGS}
    return _sent(await call(http, "PATCH", _message(chat_id, message_id), body))


async def redraw(http: HTTPClient, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replaces a message's components."""
    await call(http, "PATCH", _message(chat_id, message_id), {"components": components(keyboard)})


async def close_panel(
    http: HTTPClient, chat_id: str, message_id: str, shown: str | None, outcome: str, say: Callable[..., Any]
) -> None:
    """Takes the components away; the outcome goes under the text, or where there is no room, into an answer to it."""
    text = str(json.loads(shown).get("content", "")) if shown else ""
    written = f"{text}\n\n{escaped(outcome)}"
    fits = bool(text and outcome) and len(written.encode("utf-16-le")) // 2 <= LIMITS.text
    body: dict[str, Any] = {"components": []}
    if fits:
        body |= {"content": written, "allowed_mentions": NO_PINGS}
    await call(http, "PATCH", _message(chat_id, message_id), body)
    if outcome and not fits:
        await say(Outgoing(chat_id, outcome, reply_to=message_id, silent=True))


async def answer(http: HTTPClient, application: str, tap_id: str, text: str, *, acknowledged: bool) -> None:
    """Tells the person who tapped, and nobody else; that it is too late is no error, since nobody looks any more."""
    interaction, _, token = tap_id.partition(":")
    body = {"content": text, "flags": EPHEMERAL, "allowed_mentions": NO_PINGS}
    callback = f"/interactions/{ident(interaction, 'tap')}/{quote(token, safe='')}/callback"
    try:
        if not acknowledged:
            try:
                await call(http, "POST", callback, {"type": 4, "data": body} if text else {"type": 6})
            except TooOld:
                # Acknowledged by a process that is gone, or never in time: then this fails too.
                acknowledged = True
            else:
                return
        if text:
            await call(http, "POST", f"/webhooks/{application}/{quote(token, safe='')}", body)
    except TooOld:
        return


async def react(http: HTTPClient, chat_id: str, message_id: str, emoji: str, *, before: str | None) -> None:
    """Sets the bot's one reaction in place of `before`; an empty string only takes that one away."""
    base = f"{_message(chat_id, message_id)}/reactions"
    if emoji and emoji != before:
        await call(http, "PUT", f"{base}/{_emoji(emoji)}/@me")
    if before and before != emoji:
        await call(http, "DELETE", f"{base}/{_emoji(before)}/@me")


async def reaction(http: HTTPClient, chat_id: str, message_id: str) -> str | None:
    """The bot's reaction on a message, as it was set."""
    found = await call(http, "GET", _message(chat_id, message_id))
    mine = [one["emoji"] for one in found.get("reactions") or () if one.get("me")]
    return (f"{mine[0]['name']}:{mine[0]['id']}" if mine[0].get("id") else str(mine[0]["name"])) if mine else None


async def reached(http: HTTPClient, chat_id: str) -> dict[str, Any] | None:
    """The channel with this id, or the direct chat of the person with it; None where the bot is not let in."""
    try:
        return cast("dict[str, Any]", await call(http, "GET", f"/channels/{chat_id}"))
    except (Forbidden, Rejected):
        pass
    try:
        return cast("dict[str, Any]", await call(http, "POST", "/users/@me/channels", {"recipient_id": chat_id}))
    except (Forbidden, Rejected) as error:
        logger.info("%s cannot be looked into: %s", chat_id, error)
        return None


async def threads(http: HTTPClient, guild_id: str) -> list[dict[str, Any]]:
    """The threads of a server that are not archived."""
    try:
        return list((await call(http, "GET", f"/guilds/{guild_id}/threads/active")).get("threads") or ())
    except (Forbidden, Rejected):
        return []


async def since(http: HTTPClient, channel_id: str, after: str) -> AsyncIterator[dict[str, Any]]:
    """The messages of a channel after one of them, oldest first."""
    while True:
        params = {"after": after, "limit": str(PAGE)}
        try:
            page = await call(http, "GET", f"/channels/{channel_id}/messages", params=params)
        except (Forbidden, Rejected) as error:
            logger.info("channel %s cannot be read: %s", channel_id, error)
            return
        for message in sorted(page, key=lambda one: int(one["id"])):
            after = str(message["id"])
            yield message
        if len(page) < PAGE:
            return


async def page(http: HTTPClient, chat_id: str, limit: int, before: str | None) -> list[dict[str, Any]]:
    """The newest messages of a channel, before one of them if given, oldest of them first."""
    params = {"limit": str(min(limit, PAGE))} | ({"before": ident(before, "before")} if before else {})
    found = await call(http, "GET", f"/channels/{ident(chat_id, 'chat_id')}/messages", params=params)
    return sorted(cast("list[dict[str, Any]]", found), key=lambda one: int(one["id"]))


async def address(http: HTTPClient, attachment: Attachment) -> tuple[str, int]:
    """Where a file can be had now, and its size. Raises `Rejected` for an id that is none of ours."""
    channel, message, wanted = [*attachment.file_id.split("."), "", ""][:3]
    if not all(part.isascii() and part.isdigit() for part in (channel, message, wanted)):
        raise Rejected(f"{attachment.file_id[:80]!r} is no file of Discord's")
    found = await call(http, "GET", _message(channel, message))
    shown = [found, *(one["message"] for one in found.get("message_snapshots") or ())]
    for file in (file for one in shown for file in one.get("attachments") or ()):
        if file["id"] == wanted:
            return str(file["url"]), int(file["size"])
    raise Rejected("Discord does not have the file any more; ask the sender to send it again")


def _message(chat_id: str, message_id: str) -> str:
    return f"/channels/{ident(chat_id, 'chat_id')}/messages/{ident(message_id, 'message_id')}"


def _emoji(emoji: str) -> str:
    # A server's own is written <:name:id> in messages, and name:id in addresses.
    return quote(emoji.strip("<>").removeprefix("a:").removeprefix(":"), safe="")


def _sent(message: Any) -> Sent:
    return Sent(str(message["id"]), snapshot(cast("dict[str, Any]", message)))
