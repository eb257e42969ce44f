"""REST routes for messages, reactions and typing."""

from __future__ import annotations

import unicodedata
from typing import Any

from agent_channels.sandbox.discord.errors import FormErrors, forbidden, refused
from agent_channels.sandbox.discord.message_form import AllowedMentions, message_fields, reference_error
from agent_channels.sandbox.discord.records import FORUM, DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import REPLY, THREAD_STARTER, DiscordState

__all__ = ["THREAD_CREATED", "message_reference", "route", "send_message"]

route = Routes()

# "checked for uniqueness in the past few minutes" (Create Message, enforce_nonce)
NONCE_S = 300
NONCE_LIMIT = 25
MAX_REACTIONS = 20
PAGE = 100
# "Message Types"
THREAD_CREATED = 18
SYSTEM_TYPES = {THREAD_CREATED, THREAD_STARTER}


def _as_bot_sees(state: DiscordState, channel: GuildChannel, message: Message) -> Message:
    return state.render(channel, message, content=state.portal.content)


def _check_writable(state: DiscordState, channel: GuildChannel) -> None:
    """Raise DiscordError when the bot cannot write there."""
    bot = state.bot.id
    if channel.kind == FORUM:
        raise refused(50008)
    if channel.recipient is not None:
        person = channel.recipient.id
        share_guild = any(person in guild.members and bot in guild.members for guild in state.guilds.values())
        if channel.blocked or not (share_guild or channel.started):
            raise forbidden(50007)
    if not channel.can(bot, "send_messages_in_threads" if channel.is_thread else "send_messages"):
        raise forbidden(50013)
    if channel.locked and not channel.can(bot, "manage_threads"):
        raise refused(50083 if channel.archived else 160005)


@route("GET /channels/{channel_id}/messages")
def get_messages(request: Request) -> list[Message]:
    """Return a page of messages around, after or before an id, newest first."""
    channel = request.channel()
    errors = FormErrors()
    limit = errors.number(request.query.get("limit"), "limit", 1, PAGE, 50)
    given = {name: request.query[name] for name in ("around", "before", "after") if name in request.query}
    at = {name: errors.snowflake(value, name) for name, value in given.items()}
    errors.check()
    if channel.kind == FORUM:
        raise refused(50024)
    if not channel.can(request.state.bot.id, "read_message_history"):
        return []
    ids = sorted(channel.messages)
    if "around" in at:
        older = [number for number in ids if number < at["around"]][-(limit // 2) :] if limit > 1 else []
        page = (older + [number for number in ids if number >= at["around"]])[:limit]
    elif "after" in at:
        page = [number for number in ids if number > at["after"]][:limit]
    else:
        page = [number for number in ids if number < at.get("before", 1 << 64)][-limit:]
    return [_as_bot_sees(request.state, channel, channel.messages[number]) for number in reversed(page)]


@route("GET /channels/{channel_id}/messages/{message_id}")
def get_message(request: Request) -> Message:
    """Return one message."""
    channel = request.channel()
    if not channel.can(request.state.bot.id, "read_message_history"):
        raise forbidden(50013)
    return _as_bot_sees(request.state, channel, request.message(channel))


@route("POST /channels/{channel_id}/messages")
def create_message(request: Request) -> Message:
    """Send a message; with enforce_nonce, an earlier message of the same nonce is returned instead."""
    return send_message(request, request.channel(), request.values)


def send_message(request: Request, channel: GuildChannel, values: dict[str, Any]) -> Message:
    """Send the bot's message into a channel that it sees. Raises DiscordError."""
    state = request.state
    _check_writable(state, channel)
    nonce = _nonce(values)
    if (earlier := _sent_earlier(state, nonce, values)) is not None:
        earlier_channel, message = earlier
        return {**_as_bot_sees(state, earlier_channel, message), "nonce": nonce}
    if request.files and not channel.can(state.bot.id, "attach_files"):
        raise forbidden(50013)
    fields = message_fields(state, channel, values, request.files)
    replied = _replied_message(state, channel, values.get("message_reference"))
    if replied is not None:
        mentions, author = AllowedMentions(values.get("allowed_mentions")), int(replied["author"]["id"])
        fields |= mentions.fields(state, channel, state.bot.id, fields["content"], author)
        fields |= {"type": REPLY, "message_reference": message_reference(channel, replied)}
    sent = state.post(channel, state.bot, fields, nonce)
    if nonce is not None:
        state.nonces[str(nonce)] = (state.now(), channel, int(sent["id"]))
    seen = _as_bot_sees(state, channel, sent)
    return seen if nonce is None else {**seen, "nonce": nonce}


def message_reference(channel: GuildChannel, message: Message) -> dict[str, Any]:
    """Return the message_reference of a reply."""
    made = {"type": 0, "channel_id": str(channel.id), "message_id": message["id"]}
    return {**made, "guild_id": str(channel.guild.id)} if channel.guild else made


def _nonce(values: dict[str, Any]) -> str | int | None:
    nonce = values.get("nonce")
    if nonce is None:
        return None
    errors = FormErrors()
    if not isinstance(nonce, str | int):
        errors.add("nonce", "STRING_TYPE_CONVERT", f'Could not interpret "{nonce}" as string.')
    elif len(str(nonce)) > NONCE_LIMIT:
        errors.length("nonce", 0, NONCE_LIMIT)
    errors.check()
    return nonce if isinstance(nonce, str | int) else None


def _sent_earlier(
    state: DiscordState, nonce: str | int | None, values: dict[str, Any]
) -> tuple[GuildChannel, Message] | None:
    if nonce is None or values.get("enforce_nonce") is not True:
        return None
    at, channel, message_id = state.nonces.get(str(nonce), (0.0, None, 0))
    if channel is None or state.now() - at > NONCE_S or message_id not in channel.messages:
        return None
    return channel, channel.messages[message_id]


def _replied_message(state: DiscordState, channel: GuildChannel, value: Any) -> Message | None:
    if value is None:
        return None
    errors = FormErrors()
    reference = errors.model(value, "message_reference")
    message_id = errors.snowflake(reference.get("message_id"), "message_reference.message_id")
    errors.check()
    if not channel.can(state.bot.id, "read_message_history"):
        raise refused(160002)
    message = channel.messages.get(message_id)
    if message is not None and message["type"] in SYSTEM_TYPES:
        raise reference_error("REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message")
    if message is None and reference.get("fail_if_not_exists", True):
        raise reference_error("REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return message


@route("PATCH /channels/{channel_id}/messages/{message_id}")
def edit_message(request: Request) -> Message:
    """Edit the bot's own message."""
    channel, state = request.channel(), request.state
    message = request.message(channel)
    if message["author"]["id"] != str(state.bot.id):
        raise forbidden(50005)
    if channel.archived:
        raise refused(50083)
    state.edit(channel, message, message_fields(state, channel, request.values, request.files, old=message))
    return _as_bot_sees(state, channel, message)


@route("DELETE /channels/{channel_id}/messages/{message_id}")
def delete_message(request: Request) -> None:
    """Delete the bot's own message, or in a guild with the permission any message."""
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
    """Show the bot as typing for ten seconds."""
    channel = request.channel()
    _check_writable(request.state, channel)
    request.state.start_typing(channel, request.state.bot)


# --- reactions


def _emoji_key(state: DiscordState, text: str) -> str:
    """Return the key of a reaction: a Unicode emoji, or "name:id" of a known one. Raises DiscordError 10014."""
    name, colon, number = text.removeprefix("a:").partition(":")
    if colon:
        if number.isdecimal() and any(int(number) in guild.emojis for guild in state.guilds.values()):
            return f"{name}:{number}"
    elif _is_emoji(text):
        return text
    raise refused(10014)


def _is_emoji(text: str) -> bool:
    """Return True if the text has the characters of one emoji: symbols, joiners and modifiers."""
    categories = [unicodedata.category(char) for char in text]
    if text.endswith("\u20e3"):
        return text[0] in "0123456789#*"
    if len(text) == 2 and text[1] == "\ufe0f" and not text[0].isascii():
        # Punctuation and letters that are drawn as emoji: "ℹ️", "‼️".
        return True
    return "So" in categories and set(categories) <= {"So", "Sk", "Mn", "Cf", "Sm"}


def _reaction_target(request: Request) -> tuple[GuildChannel, Message, str]:
    channel = request.channel()
    return channel, request.message(channel), _emoji_key(request.state, request.path["emoji"])


@route("PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
def add_reaction(request: Request) -> None:
    """Add the bot's reaction; adding it twice changes nothing."""
    channel, message, emoji = _reaction_target(request)
    state, bot = request.state, request.state.bot.id
    existing = channel.reactions.get(int(message["id"]), {})
    if not channel.can(bot, "read_message_history") or not (emoji in existing or channel.can(bot, "add_reactions")):
        raise forbidden(50013)
    if channel.blocked:
        raise forbidden(90001)
    if channel.archived:
        raise refused(50083)
    if emoji not in existing and len(existing) >= MAX_REACTIONS:
        raise refused(30010)
    state.react(channel, int(message["id"]), state.bot, emoji)


@route(
    "DELETE /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me",
    "DELETE /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/{user_id}",
)
def remove_reaction(request: Request) -> None:
    """Remove the bot's reaction, or with the permission another user's."""
    channel, message, emoji = _reaction_target(request)
    user: DiscordUser = request.user() if "user_id" in request.path else request.state.bot
    if user is not request.state.bot and not (channel.guild and channel.can(request.state.bot.id, "manage_messages")):
        raise forbidden(50013)
    request.state.unreact(channel, int(message["id"]), user, emoji)


@route("GET /channels/{channel_id}/messages/{message_id}/reactions/{emoji}")
def get_reactions(request: Request) -> list[dict[str, Any]]:
    """Return the users who reacted with an emoji."""
    channel, message, emoji = _reaction_target(request)
    users = channel.reactions.get(int(message["id"]), {}).get(emoji, [])
    return [request.state.users[user_id].as_dict() for user_id in sorted(users)][:PAGE]
