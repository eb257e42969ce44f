"""Calls to Slack: messages and files sent, changed and removed; reactions; chats and their history."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

from slack_sdk.web.async_client import AsyncWebClient

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    NotModified,
    PlatformError,
    RateLimited,
    Rejected,
    ReplyRefused,
    ThreadGone,
    Unavailable,
    Unsupported,
)
from agent_channels.core.files.streaming import upload_name
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.slack.chats import Json, checked_chat, checked_ts
from agent_channels.slack.emoji import name_of
from agent_channels.slack.errors import error_code, translated
from agent_channels.slack.formatting import BLOCKS_MAX, draw, formatted_text
from agent_channels.slack.http import SlackConnections, call
from agent_channels.slack.markup import (
    LIMITS,
    action_blocks,
    closed_blocks,
    fallback,
    snapshot,
)

__all__ = [
    "close_panel",
    "delete",
    "edit",
    "edit_keyboard",
    "emoji_name",
    "file_url",
    "find_chat",
    "group_files",
    "message",
    "newest_messages",
    "own_reaction",
    "react",
    "send",
]

logger = logging.getLogger(__name__)

# "files.completeUploadExternal": files in one message.
FILES_MAX = 10
# What a page of a history has at most without being slow.
PAGE = 200
# A message with files appears a moment after they were handed over: how often, and how long apart, we look for it.
_LOOKS, _LOOK_S = 12, 0.25
# How often what belongs under a message is tried where Slack asks to wait, and the longest such wait, in seconds.
_BELOW_TRIES, _BELOW_WAIT_S = 5, 30.0
# What Slack says of a message to a thread whose first message is gone, or takes no replies.
_NO_THREAD = frozenset({"cannot_reply_to_message", "invalid_thread_ts", "message_not_found", "thread_not_found"})

# What it says of a person with whom there can be no direct chat.
_NOBODY = frozenset({"cannot_dm_bot", "user_disabled", "user_not_found", "user_not_visible", "users_not_found"})


# ---- messages


async def send(connections: SlackConnections, outgoing: Outgoing, root: str | None, *, previews: bool) -> Sent:
    """Send a text, a file, or several. `root` is the message that begins the thread of `outgoing.reply_to`.

    `previews`: links unfold into previews.
    """
    if outgoing.only_for:
        raise Unsupported("on Slack only answers to taps and commands are seen by one person alone")
    place = _place(outgoing, root)
    files = outgoing.album or tuple(filter(None, [outgoing.file]))
    if files and outgoing.keyboard is None:
        return await _send_files(connections, outgoing, files, place)
    if files:
        # A message with files takes no buttons: those come under the text, right below.
        first = await _send_files(connections, replace(outgoing, text="", spans=(), rich=None), files, place)
        text = outgoing.text or ", ".join(upload_name(file.name) for file in files)
        below = replace(outgoing, text=text, format=outgoing.format if outgoing.text else "text", file=None, album=())
        return await _send_below(first, lambda: send(connections, below, root, previews=previews))
    blocks, keys = _blocks(outgoing), action_blocks(outgoing.keyboard)
    if keys and _length(blocks) + _length(keys) > BLOCKS_MAX:
        # A hundred long labels leave no room for a long text in the same message.
        first = await send(connections, replace(outgoing, keyboard=None), root, previews=previews)
        grid = replace(outgoing, text="👇", format="text", spans=(), plain=None, rich=None)
        return await _send_below(first, lambda: send(connections, grid, root, previews=previews))
    with _into(outgoing):
        posted = await call(
            connections.client.chat_postMessage(
                text=fallback(outgoing.plain or outgoing.text),
                blocks=blocks + keys,
                unfurl_links=previews,
                unfurl_media=previews,
                **place,
            )
        )
    return Sent(str(posted["ts"]), _snapshot_of(outgoing, blocks))


async def _send_below(first: Sent, send_rest: Callable[[], Awaitable[Sent]]) -> Sent:
    """Send what belongs under a message that was sent, and so may not be sent again with it.

    Raises `Ambiguous` if the rest cannot be sent: what is repeated after any other error would repeat the first too.
    """
    tries = 0
    while True:
        tries += 1
        try:
            rest = await send_rest()
            return replace(rest, others=(first.message_id, *first.others, *rest.others))
        except RateLimited as error:
            if tries >= _BELOW_TRIES or error.retry_after > _BELOW_WAIT_S:
                raise _half_sent(error) from error
            await asyncio.sleep(error.retry_after)
        except Ambiguous:
            raise
        except PlatformError as error:
            raise _half_sent(error) from error


def _half_sent(error: PlatformError) -> Ambiguous:
    return Ambiguous(
        sentence("its first half was sent, and not what belongs under it: {reason}", reason=words_of(error))
    )


def _place(outgoing: Outgoing, root: str | None) -> Json:
    """Return the arguments that say where a message goes.

    What replies to a message outside a thread is shown in the chat too: there people would not look for it elsewhere.
    """
    place: Json = {"channel": checked_chat(outgoing.chat_id)}
    if outgoing.thread_id:
        place["thread_ts"] = checked_ts(outgoing.thread_id, "thread_id")
    elif outgoing.reply_to:
        place |= {"thread_ts": checked_ts(root or outgoing.reply_to, "reply_to"), "reply_broadcast": True}
    return place


@contextmanager
def _into(outgoing: Outgoing) -> Iterator[None]:
    """Turn a thread that is not there into what it means for this message: it may go without what it replies to."""
    try:
        yield
    except Rejected as error:
        if error_code(error.__cause__) not in _NO_THREAD or not (outgoing.thread_id or outgoing.reply_to):
            raise
        kind = ThreadGone if outgoing.thread_id else ReplyRefused
        raise kind(words_of(error)) from error


def _blocks(outgoing: Outgoing) -> list[Json]:
    return outgoing.rich or draw(formatted_text(outgoing.text, outgoing.format, outgoing.spans))


def _snapshot_of(outgoing: Outgoing, blocks: list[Json]) -> str | None:
    return json.dumps({"blocks": blocks, "text": fallback(outgoing.plain or outgoing.text)}) if blocks else None


def group_files(files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
    """Put as many files into each message as it takes."""
    return [tuple(files[at : at + FILES_MAX]) for at in range(0, len(files), FILES_MAX)]


async def _send_files(
    connections: SlackConnections, outgoing: Outgoing, files: Sequence[OpenFile], place: Json
) -> Sent:
    """Upload files and hand them over as one message."""
    ids = [await _upload(connections, file) for file in files]
    blocks = _blocks(outgoing)
    said: Json = {"blocks": json.dumps(blocks)} if blocks else {}
    with _into(outgoing):
        await call(
            connections.client.files_completeUploadExternal(
                files=[
                    {"id": file_id, "title": upload_name(file.name)} for file_id, file in zip(ids, files, strict=True)
                ],
                channel_id=place["channel"],
                thread_ts=place.get("thread_ts"),
                **said,
            )
        )
    return Sent(await _shared_as(connections.client, ids[0], place["channel"]), _snapshot_of(outgoing, blocks))


async def _upload(connections: SlackConnections, file: OpenFile) -> str:
    """Upload a file, which nobody sees yet; return its id."""
    name = upload_name(file.name)
    asked = await call(connections.client.files_getUploadURLExternal(filename=name, length=file.size))
    url = str(asked["upload_url"])
    if not connections.is_safe(url):
        raise Rejected(sentence("Slack names an address for the file that is not encrypted; it is not used"))
    with file.stream() as stream, translated():
        headers = {"Content-Type": "application/octet-stream"}
        async with connections.session.post(url, data=stream, headers=headers) as response:
            if response.status >= 500:
                raise Unavailable(sentence("Slack has a fault (HTTP {status})", status=response.status))
            if response.status != 200:
                raise Rejected(sentence("Slack does not take the file (HTTP {status})", status=response.status))
    return str(asked["file_id"])


async def _shared_as(client: AsyncWebClient, file_id: str, channel: str) -> str:
    """Return the id of the message that a file is in; the file's own, should Slack not tell it in time."""
    for _ in range(_LOOKS):
        try:
            found = (await call(client.files_info(file=file_id)))["file"]
        except PlatformError as error:
            # It was sent, whatever this says.
            logger.info("the message of a file is not known: %s", error)
            break
        for shares in (found.get("shares") or {}).values():
            if shares.get(channel):
                return str(shares[channel][-1]["ts"])
        await asyncio.sleep(_LOOK_S)
    return file_id


async def edit(
    client: AsyncWebClient, chat_id: str, message_id: str, part: RenderedPart, keys: Keyboard | None
) -> Sent:
    """Replace a message's text and buttons."""
    blocks = part.rich or draw(formatted_text(part.text, part.format, part.spans))
    await _update(client, chat_id, message_id, fallback(part.plain), blocks + action_blocks(keys))
    return Sent(message_id, json.dumps({"blocks": blocks, "text": fallback(part.plain)}))


async def _update(client: AsyncWebClient, chat_id: str, message_id: str, text: str, blocks: list[Json]) -> None:
    place: Json = {"channel": checked_chat(chat_id), "ts": checked_ts(message_id, "message_id")}
    with suppress(NotModified):
        await call(client.chat_update(text=text, blocks=blocks, **place))


async def edit_keyboard(client: AsyncWebClient, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replace a message's buttons."""
    before = await _before(client, chat_id, message_id, None)
    await _update(client, chat_id, message_id, before["text"], before["blocks"] + action_blocks(keyboard))


async def _before(client: AsyncWebClient, chat_id: str, message_id: str, known: str | None) -> Json:
    """Return a message's text, and its blocks without the buttons, as a snapshot has them."""
    found = known or snapshot(await message(client, chat_id, message_id))
    before: Json = json.loads(found) if found else {}
    return {"text": str(before.get("text") or "…"), "blocks": list(before.get("blocks") or [])}


async def delete(client: AsyncWebClient, chat_id: str, message_id: str) -> None:
    """Delete a message."""
    await call(client.chat_delete(channel=checked_chat(chat_id), ts=checked_ts(message_id, "message_id")))


async def close_panel(
    client: AsyncWebClient,
    chat_id: str,
    message_id: str,
    known: str | None,
    outcome: str,
    chosen: KeyboardButton | None,
    reply: Callable[[Outgoing], Awaitable[Sent]],
    thread_id: str | None,
) -> None:
    """Write the outcome under the text; without room, reply with it. Of the buttons only `chosen` stays.

    `known` is the message's snapshot; `reply` sends a message.
    """
    before = await _before(client, chat_id, message_id, known)
    text, blocks = before["text"], before["blocks"]
    fits = bool(outcome) and _length(blocks) + len(outcome) + 2 <= LIMITS.text
    if fits:
        below = {"type": "rich_text_section", "elements": [{"type": "text", "text": outcome}]}
        blocks = [*blocks, {"type": "rich_text", "elements": [below]}]
        text = f"{text}\n\n{fallback(outcome)}"[: LIMITS.text]
    await _update(client, chat_id, message_id, text, blocks + closed_blocks(chosen))
    if outcome and not fits:
        alone = Outgoing(chat_id, outcome, thread_id=thread_id, silent=True)
        try:
            await reply(alone if thread_id else replace(alone, reply_to=message_id))
        except ReplyRefused:
            await reply(alone)


def _length(blocks: Any) -> int:
    """Return how many characters of text blocks hold."""
    if isinstance(blocks, dict):
        own = sum(len(value) for key in ("text", "url", "value") if isinstance(value := blocks.get(key), str))
        return own + sum(map(_length, blocks.values()))
    return sum(map(_length, blocks)) if isinstance(blocks, list) else 0


# ---- reactions


async def react(client: AsyncWebClient, chat_id: str, message_id: str, name: str, *, before: str | None) -> None:
    """Set the bot's one reaction, by its name, in place of `before`; an empty name only removes that one."""
    place = {"channel": checked_chat(chat_id), "timestamp": checked_ts(message_id, "message_id")}
    if name and name != before:
        await _unless("already_reacted", call(client.reactions_add(name=name, **place)))
    if before and before != name:
        await _unless("no_reaction", call(client.reactions_remove(name=before, **place)))


async def _unless(code: str, asked: Awaitable[Any]) -> None:
    """Make a call; an error with this code says that nothing is left to do."""
    try:
        await asked
    except Rejected as error:
        if error_code(error.__cause__) != code:
            raise


async def own_reaction(client: AsyncWebClient, chat_id: str, message_id: str, own_user: str) -> str | None:
    """Return the name of the bot's reaction to a message."""
    place = {"channel": checked_chat(chat_id), "timestamp": checked_ts(message_id, "message_id")}
    found = (await call(client.reactions_get(full=True, **place))).get("message") or {}
    return next(
        (str(one["name"]) for one in found.get("reactions") or () if own_user in (one.get("users") or ())), None
    )


def emoji_name(emoji: str) -> str:
    """Return the name of a reaction; an empty one removes it."""
    return name_of(emoji) if emoji else ""


# ---- chats and their history


async def find_chat(client: AsyncWebClient, chat: str) -> str | None:
    """Return the id of the chat, or of the direct chat with the person with this id; None if there can be none."""
    if chat[:1] in {"C", "D", "G"}:
        return chat
    try:
        return str((await call(client.conversations_open(users=chat)))["channel"]["id"])
    except (Forbidden, Rejected) as error:
        if error_code(error.__cause__) not in _NOBODY:
            raise
        logger.info("there is no direct chat with %s: %s", chat, error)
        return None


async def message(client: AsyncWebClient, chat_id: str, message_id: str) -> Json:
    """Return one message, also one inside a thread. Raises `Rejected` if it is not there any more."""
    place: Json = {"channel": checked_chat(chat_id), "ts": checked_ts(message_id, "message_id")}
    found = (await call(client.conversations_replies(limit=1, inclusive=True, latest=message_id, **place)))["messages"]
    for one in found:
        if str(one.get("ts")) == message_id:
            return cast("Json", one)
    raise Rejected(f"message {message_id} is not there any more, or is in another chat")


async def newest_messages(client: AsyncWebClient, chat_id: str, limit: int, before: str | None) -> list[Json]:
    """Return the newest messages of a chat, older than `before` if given, oldest first."""
    older: Json = {"latest": checked_ts(before, "before"), "inclusive": False} if before else {}
    page = await call(client.conversations_history(channel=checked_chat(chat_id), limit=min(limit, PAGE), **older))
    return sorted(cast("list[Json]", page["messages"]), key=lambda one: float(one["ts"]))


async def file_url(client: AsyncWebClient, attachment: Attachment) -> tuple[str, int | None]:
    """Return where a file lies, and its size in bytes. Raises `Rejected` when there is no such file."""
    if not attachment.file_id.isalnum():
        raise Rejected(f"{attachment.file_id[:80]!r} is not the id of a file on Slack")
    found = (await call(client.files_info(file=attachment.file_id)))["file"]
    url = found.get("url_private_download") or found.get("url_private")
    if not url:
        raise Rejected("Slack does not have the file any more; ask the sender to send it again")
    size = found.get("size")
    return str(url), int(size) if size is not None else None
