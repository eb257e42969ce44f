"""REST routes for the bot itself, users, direct chats, channels, threads, guilds and their members."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.api_objects import (
    application_object,
    channel_object,
    guild_object,
    member_object,
)
from agent_channels.sandbox.discord.errors import FormErrors, forbidden, refused, unknown
from agent_channels.sandbox.discord.message_form import HAS_THREAD
from agent_channels.sandbox.discord.message_routes import THREAD_CREATED, message_reference, send_message
from agent_channels.sandbox.discord.records import (
    FORUM,
    NEWS,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    DiscordUser,
    Guild,
    GuildChannel,
    Message,
)
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import THREAD_STARTER, DiscordState

__all__ = ["open_thread", "route"]

route = Routes()

ARCHIVE_MINUTES = (60, 1440, 4320, 10080)


@route("GET /users/@me")
def get_me(request: Request) -> dict[str, Any]:
    """Return the bot."""
    extra = {"verified": True, "mfa_enabled": True, "locale": "en-US", "email": None, "flags": 0, "bio": ""}
    return {**request.state.bot.as_dict(), **extra}


@route("GET /oauth2/applications/@me", "GET /applications/@me")
def get_application(request: Request) -> dict[str, Any]:
    """Return the application, with the flags of the privileged intents that are switched on."""
    portal = request.state.portal
    owner = DiscordUser(1, "owner", "Owner")
    return application_object(request.state.bot, owner, members=portal.members, content=portal.content)


@route("GET /users/@me/guilds")
def get_my_guilds(request: Request) -> list[dict[str, Any]]:
    """Return the guilds the bot is in."""
    bot = request.state.bot.id
    guilds = [guild for guild in request.state.guilds.values() if bot in guild.members]
    return [
        {"id": str(guild.id), "name": guild.name, "owner": False, "permissions": str(guild.permissions(bot))}
        for guild in guilds
    ]


@route("POST /users/@me/channels")
def open_direct(request: Request) -> dict[str, Any]:
    """Open the direct chat with a person; writing there may still be refused."""
    errors = FormErrors()
    user_id = errors.snowflake(request.values.get("recipient_id"), "recipient_id")
    errors.check()
    user = request.state.users.get(user_id)
    if user is None:
        raise refused(50033)
    if user.is_bot:
        raise forbidden(50007)
    return channel_object(request.state.direct(user), request.state.bot.id)


@route("GET /users/{user_id}")
def get_user(request: Request) -> dict[str, Any]:
    """Return any user."""
    return request.user().as_dict()


# --- channels and threads


@route("GET /channels/{channel_id}")
def get_channel(request: Request) -> dict[str, Any]:
    """Return a channel the bot sees."""
    return channel_object(request.channel(), request.state.bot.id)


@route("PATCH /channels/{channel_id}")
def edit_channel(request: Request) -> dict[str, Any]:
    """Rename, archive or lock a thread; the bot may not change other channels."""
    channel, bot = request.channel(), request.state.bot.id
    if not channel.is_thread:
        raise forbidden(50013)
    if channel.owner_id != bot and not channel.can(bot, "manage_threads"):
        raise forbidden(50013)
    errors = FormErrors()
    if "name" in request.values:
        channel.name = errors.text(request.values["name"], "name", 1, 100) or channel.name
    errors.check()
    channel.archived = bool(request.values.get("archived", channel.archived))
    channel.locked = bool(request.values.get("locked", channel.locked))
    request.state.thread_changed(channel)
    return channel_object(channel, bot)


@route("POST /channels/{channel_id}/messages/{message_id}/threads")
def thread_from_message(request: Request) -> dict[str, Any]:
    """Start a thread from a message; it gets the message's id."""
    channel = request.channel()
    message = request.message(channel)
    _check_may_thread(request, channel, "create_public_threads")
    if int(message["id"]) in request.state.channels:
        raise refused(160004)
    name, minutes = _thread_form(request)
    thread = open_thread(request.state, channel, name, request.state.bot, message=message)
    thread.archive_minutes = minutes
    return channel_object(thread, request.state.bot.id)


@route("POST /channels/{channel_id}/threads")
def start_thread(request: Request) -> dict[str, Any]:
    """Start a thread without a message, or a forum post with its first message."""
    channel, state = request.channel(), request.state
    if channel.kind == FORUM:
        return _forum_post(request, channel)
    kind = request.values.get("type", PRIVATE_THREAD)
    if kind not in (PUBLIC_THREAD, PRIVATE_THREAD):
        errors = FormErrors()
        errors.choices("type", (10, 11, 12))
        errors.check()
    _check_may_thread(request, channel, "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads")
    name, minutes = _thread_form(request)
    thread = open_thread(state, channel, name, state.bot, kind=kind)
    thread.archive_minutes = minutes
    return channel_object(thread, state.bot.id)


def _check_may_thread(request: Request, channel: GuildChannel, permission: str) -> None:
    if channel.kind not in {TEXT, NEWS}:
        raise refused(50024)
    if not channel.can(request.state.bot.id, permission):
        raise forbidden(50013)


def _thread_form(request: Request) -> tuple[str, int]:
    """Return (name, minutes until it is archived). Raises DiscordError."""
    errors = FormErrors()
    name = errors.text(request.values.get("name"), "name", 1, 100)
    minutes = request.values.get("auto_archive_duration") or 1440
    if minutes not in ARCHIVE_MINUTES:
        errors.choices("auto_archive_duration", ARCHIVE_MINUTES)
    errors.check()
    return name, minutes


def _forum_post(request: Request, forum: GuildChannel) -> dict[str, Any]:
    state = request.state
    if not forum.can(state.bot.id, "send_messages"):
        raise forbidden(50013)
    name, minutes = _thread_form(request)
    errors = FormErrors()
    values = errors.model(request.values.get("message"), "message")
    errors.check()
    thread = GuildChannel(state.ids(), PUBLIC_THREAD, name, state.now(), forum.guild, forum, owner_id=state.bot.id)
    thread.archive_minutes = minutes
    first = send_message(request, thread, values)
    return {**channel_object(thread, state.bot.id), "message": first}


def open_thread(
    state: DiscordState,
    channel: GuildChannel,
    name: str,
    owner: DiscordUser,
    *,
    kind: int = PUBLIC_THREAD,
    message: Message | None = None,
) -> GuildChannel:
    """Add a thread under a channel, with the system messages that Discord posts, and return it."""
    thread = GuildChannel(state.ids(), kind, name, state.now(), channel.guild, channel, owner_id=owner.id)
    if message is not None:
        thread.id = int(message["id"])
    thread.members.add(owner.id)
    state.add_channel(thread)
    state.thread_created(thread)
    if message is not None:
        state.edit(channel, message, {"flags": message["flags"] | HAS_THREAD}, stamp=False)
        fields: Message = {"type": THREAD_STARTER, "message_reference": message_reference(channel, message)}
        state.post(thread, owner, fields)
    elif kind == PUBLIC_THREAD:
        reference = {"type": 0, "channel_id": str(thread.id)}
        if channel.guild is not None:
            reference["guild_id"] = str(channel.guild.id)
        state.post(channel, owner, {"type": THREAD_CREATED, "content": name, "message_reference": reference})
    return thread


@route("PUT /channels/{channel_id}/thread-members/@me", "DELETE /channels/{channel_id}/thread-members/@me")
def join_or_leave_thread(request: Request) -> None:
    """Join a thread (PUT), or leave it (DELETE)."""
    thread, bot = request.channel(), request.state.bot.id
    if not thread.is_thread:
        raise refused(50024)
    if thread.archived:
        raise refused(50083)
    if request.method == "PUT":
        thread.members.add(bot)
    else:
        thread.members.discard(bot)
    request.state.changed()


# --- guilds


def _guild(request: Request) -> Guild:
    guild = request.state.guilds.get(request.path_id("guild_id"))
    if guild is None:
        raise unknown(10004)
    if request.state.bot.id not in guild.members:
        raise forbidden(50001)
    return guild


@route("GET /guilds/{guild_id}")
def get_guild(request: Request) -> dict[str, Any]:
    """Return a guild the bot is in."""
    return guild_object(_guild(request))


@route("GET /guilds/{guild_id}/channels")
def get_guild_channels(request: Request) -> list[dict[str, Any]]:
    """Return a guild's channels without threads, including those the bot does not see, as Discord does."""
    return [channel_object(channel, request.state.bot.id) for channel in _guild(request).channels.values()]


@route("GET /guilds/{guild_id}/roles")
def get_guild_roles(request: Request) -> Any:
    """Return a guild's roles."""
    return guild_object(_guild(request))["roles"]


@route("GET /guilds/{guild_id}/threads/active")
def get_active_threads(request: Request) -> dict[str, Any]:
    """Return the threads that are not archived, newest first."""
    guild, bot = _guild(request), request.state.bot.id
    threads = [channel for channel in request.state.channels.values() if channel.guild is guild and channel.is_thread]
    objects = [channel_object(thread, bot) for thread in reversed(threads) if not thread.archived and thread.sees(bot)]
    members = [thread["member"] for thread in objects if "member" in thread]
    return {"threads": objects, "members": members, "has_more": False}


@route("GET /channels/{channel_id}/threads/archived/public")
def get_archived_threads(request: Request) -> dict[str, Any]:
    """Return the archived threads of a channel, newest first."""
    channel, bot = request.channel(), request.state.bot.id
    threads = [thread for thread in request.state.channels.values() if thread.parent is channel and thread.archived]
    objects = [channel_object(thread, bot) for thread in reversed(threads) if thread.kind != PRIVATE_THREAD]
    return {"threads": objects, "members": [], "has_more": False}


@route("GET /guilds/{guild_id}/members/{user_id}")
def get_guild_member(request: Request) -> dict[str, Any]:
    """Return one member."""
    guild, user = _guild(request), request.user()
    if user.id not in guild.members:
        raise unknown(10007)
    return member_object(guild, user)
