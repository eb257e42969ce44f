"""REST: messages of a channel, reactions, typing."""

from __future__ import annotations

import unicodedata
from typing import Any

from agent_channels.sandbox.discord.errors import FormErrors, forbidden, refused
from agent_channels.sandbox.discord.message_form import message_form, reply_error
from agent_channels.sandbox.discord.records import FORUM, DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["rest_message", "route", "send"]

route = Routes()

# "checked for uniqueness in the past few minutes" (Create Message, enforce_nonce)
NONCE_S = 300
NONCE_LIMIT = 25
MAX_REACTIONS = 20
PAGE = 100
SYSTEM_TYPES = {18, 21}


def rest_message(state: DiscordState, channel: GuildChannel, message: Message) -> Message:
    """A message as the REST API shows it to the bot."""
    return render(state, channel, message, content=state.portal.content)


def _writable(state: DiscordState, channel: GuildChannel) -> None:
    """Raises DiscordError when the bot cannot write there."""
    bot = state.bot.id
    if channel.kind == FORUM:
        raise refused(50008)
    if channel.recipient is not None:
        person = channel.recipient.id
        together = any(person in guild.members and bot in guild.members for guild in state.guilds.values())
        if channel.blocked or not (together or channel.started):
            raise forbidden(50007)
    if not channel.can(bot, "send_messages_in_threads" if channel.is_thread else "send_messages"):
        raise forbidden(50013)
    if channel.locked and not channel.can(bot, "manage_threads"):
        raise forbidden(50013)


@route("GET /channels/{channel_id}/messages")
def get_messages(request: Request) -> list[Message]:
    """A page of messages, newest first, around or after or before an id."""
    channel = request.channel()
    problems = FormErrors()
    limit = problems.number(request.query.get("limit"), "limit", 1, PAGE, 50)
    given = {name: request.query[name] for name in ("around", "before", "after") if name in request.query}
    at = {name: problems.snowflake(value, name) for name, value in given.items()}
    problems.check()
    if channel.kind == FORUM:
        raise refused(50024)
    if not channel.can(request.state.bot.id, "read_message_history"):
        return []
    found = sorted(channel.messages)
    if "around" in at:
        older = [one for one in found if one < at["around"]][-(limit // 2) :] if limit > 1 else []
        page = (older + [one for one in found if one >= at["around"]])[:limit]
    elif "after" in at:
        page = [one for one in found if one > at["after"]][:limit]
    else:
        page = [one for one in found if one < at.get("before", 1 << 64)][-limit:]
    return [rest_message(request.state, channel, channel.messages[one]) for one in reversed(page)]


@route("GET /channels/{channel_id}/messages/{message_id}")
def get_message(request: Request) -> Message:
    """One message."""
    channel = request.channel()
    if not channel.can(request.state.bot.id, "read_message_history"):
        raise forbidden(50013)
    return rest_message(request.state, channel, request.message(channel))


@route("POST /channels/{channel_id}/messages")
def create_message(request: Request) -> Message:
    """Sends; with enforce_nonce the message of the same nonce is returned instead of sent again."""
    return send(request, request.channel(), request.values)


def send(request: Request, channel: GuildChannel, values: dict[str, Any]) -> Message:
    """Sends what the bot asks for, into a channel it sees. Raises DiscordError."""
    state = request.state
    _writable(state, channel)
    nonce = _nonce(values)
    if (before := _sent_before(state, nonce, values)) is not None:
        place, message = before
        return {**rest_message(state, place, message), "nonce": nonce}
    if request.files and not channel.can(state.bot.id, "attach_files"):
        raise forbidden(50013)
    fields, pings = message_form(state, channel, values, request.files)
    replied = _reply(state, channel, values.get("message_reference"))
    author = 0
    if replied is not None:
        fields |= {"type": 19, "message_reference": reference(channel, replied)}
        author = int(replied["author"]["id"])
    fields |= pings.fields(state, channel, state.bot.id, fields["content"], author)
    sent = state.post(channel, state.bot, fields, nonce)
    if nonce is not None:
        state.nonces[str(nonce)] = (state.now(), channel, int(sent["id"]))
    shown = rest_message(state, channel, sent)
    return shown if nonce is None else {**shown, "nonce": nonce}


def reference(channel: GuildChannel, message: Message) -> dict[str, Any]:
    """The message_reference of a reply."""
    made = {"type": 0, "channel_id": str(channel.id), "message_id": message["id"]}
    return {**made, "guild_id": str(channel.guild.id)} if channel.guild else made


def _nonce(values: dict[str, Any]) -> str | int | None:
    nonce = values.get("nonce")
    if nonce is None:
        return None
    problems = FormErrors()
    if not isinstance(nonce, str | int):
        problems.add("nonce", "STRING_TYPE_CONVERT", f'Could not interpret "{nonce}" as string.')
    elif len(str(nonce)) > NONCE_LIMIT:
        problems.length("nonce", 0, NONCE_LIMIT)
    problems.check()
    return nonce if isinstance(nonce, str | int) else None


def _sent_before(
    state: DiscordState, nonce: str | int | None, values: dict[str, Any]
) -> tuple[GuildChannel, Message] | None:
    if nonce is None or values.get("enforce_nonce") is not True:
        return None
    at, channel, message_id = state.nonces.get(str(nonce), (0.0, None, 0))
    if channel is None or state.now() - at > NONCE_S or message_id not in channel.messages:
        return None
    return channel, channel.messages[message_id]


def _reply(state: DiscordState, channel: GuildChannel, value: Any) -> Message | None:
    if value is None:
        return None
    problems = FormErrors()
    wanted = problems.model(value, "message_reference")
    message_id = problems.snowflake(wanted.get("message_id"), "message_reference.message_id")
    problems.check()
    if not channel.can(state.bot.id, "read_message_history"):
        raise refused(160002)
    found = channel.messages.get(message_id)
    if found is not None and found["type"] in SYSTEM_TYPES:
        raise reply_error("REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message")
    if found is None and wanted.get("fail_if_not_exists", True):
        raise reply_error("REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return found


@route("PATCH /channels/{channel_id}/messages/{message_id}")
def edit_message(request: Request) -> Message:
    """Edits one's own message."""
    channel, state = request.channel(), request.state
    message = request.message(channel)
    if message["author"]["id"] != str(state.bot.id):
        raise forbidden(50005)
    if channel.archived:
        raise refused(50083)
    fields, pings = message_form(state, channel, request.values, request.files, old=message)
    if "content" in fields:
        fields |= pings.fields(state, channel, state.bot.id, fields["content"])
    state.edit(channel, message, fields)
    return rest_message(state, channel, message)


@route("DELETE /channels/{channel_id}/messages/{message_id}")
def delete_message(request: Request) -> None:
    """Deletes one's own message, or in a guild anybody's with the permission."""
    channel, bot = request.channel(), request.state.bot.id
    message = request.message(channel)
    if message["author"]["id"] != str(bot):
        if channel.guild is None:
            raise forbidden(50003)
        if not channel.can(bot, "manage_messages"):
            raise forbidden(50013)
    request.state.delete(channel, int(message["id"]))


@route("POST /channels/{channel_id}/typing")
def typing(request: Request) -> None:
    """Shows that the bot is writing, for ten seconds."""
    channel = request.channel()
    _writable(request.state, channel)
    request.state.typed(channel, request.state.bot)


# --- reactions


def emoji_key(state: DiscordState, text: str) -> str:
    """The key a reaction is kept under: a Unicode emoji, or "name:id" of one known. Raises DiscordError 10014."""
    name, found, number = text.removeprefix("a:").partition(":")
    if found:
        if number.isdecimal() and any(int(number) in guild.emojis for guild in state.guilds.values()):
            return f"{name}:{number}"
    elif _is_emoji(text):
        return text
    raise refused(10014)


def _is_emoji(text: str) -> bool:
    """Whether this is one emoji by its characters: symbols, with what joins and colours them."""
    plain = [unicodedata.category(char) for char in text]
    if text.endswith("\u20e3"):
        return text[0] in "0123456789#*"
    if len(text) == 2 and text[1] == "\ufe0f" and not text[0].isascii():
        # punctuation and letters that are drawn as emoji: "ℹ️", "‼️"
        return True
    return "So" in plain and set(plain) <= {"So", "Sk", "Mn", "Cf", "Sm"}


def _reacted(request: Request) -> tuple[GuildChannel, Message, str]:
    channel = request.channel()
    return channel, request.message(channel), emoji_key(request.state, request.path["emoji"])


@route("PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
def add_reaction(request: Request) -> None:
    """Reacts; the same reaction again changes nothing."""
    channel, message, emoji = _reacted(request)
    state, bot = request.state, request.state.bot.id
    there = channel.reactions.get(int(message["id"]), {})
    if not channel.can(bot, "read_message_history") or not (emoji in there or channel.can(bot, "add_reactions")):
        raise forbidden(50013)
    if channel.blocked:
        raise forbidden(90001)
    if channel.archived:
        raise refused(50083)
    if emoji not in there and len(there) >= MAX_REACTIONS:
        raise refused(30010)
    state.react(channel, int(message["id"]), state.bot, emoji)


@route(
    "DELETE /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me",
    "DELETE /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/{user_id}",
)
def remove_reaction(request: Request) -> None:
    """Takes a reaction back: the bot's own, or with the permission somebody else's."""
    channel, message, emoji = _reacted(request)
    user: DiscordUser = request.user() if "user_id" in request.path else request.state.bot
    if user is not request.state.bot and not (channel.guild and channel.can(request.state.bot.id, "manage_messages")):
        raise forbidden(50013)
    request.state.unreact(channel, int(message["id"]), user, emoji)


@route("GET /channels/{channel_id}/messages/{message_id}/reactions/{emoji}")
def get_reactions(request: Request) -> list[dict[str, Any]]:
    """Who reacted with an emoji."""
    channel, message, emoji = _reacted(request)
    users = channel.reactions.get(int(message["id"]), {}).get(emoji, [])
    return [request.state.users[one].as_dict() for one in sorted(users)][:PAGE]


@route("DELETE /channels/{channel_id}/messages/{message_id}/reactions")
def clear_reactions(request: Request) -> None:
    """Takes all reactions away."""
    channel = request.channel()
    message = request.message(channel)
    if channel.guild is None or not channel.can(request.state.bot.id, "manage_messages"):
        raise forbidden(50013)
    channel.reactions.pop(int(message["id"]), None)
    gone = {"message_id": message["id"]}
    request.state.emit("MESSAGE_REACTION_REMOVE_ALL", "reactions", channel, gone)
