"""REST: the bot itself, users, direct chats, channels, threads, guilds and their members."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.api_objects import application_dict, channel_dict, guild_dict, member_dict
from agent_channels.sandbox.discord.errors import FormErrors, forbidden, refused, unknown
from agent_channels.sandbox.discord.message_form import HAS_THREAD
from agent_channels.sandbox.discord.message_routes import reference, send
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
from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["open_thread", "route"]

route = Routes()

ARCHIVE_MINUTES = (60, 1440, 4320, 10080)
# "Message Types"
THREAD_CREATED, THREAD_STARTER = 18, 21


@route("GET /users/@me")
def me(request: Request) -> dict[str, Any]:
    """The bot."""
    extra = {"verified": True, "mfa_enabled": True, "locale": "en-US", "email": None, "flags": 0, "bio": ""}
    return {**request.state.bot.as_dict(), **extra}


@route("GET /oauth2/applications/@me", "GET /applications/@me")
def application(request: Request) -> dict[str, Any]:
    """The application, with the flags of the privileged intents that are switched on."""
    portal = request.state.portal
    owner = DiscordUser(1, "owner", "Owner")
    return application_dict(request.state.bot, owner, members=portal.members, content=portal.content)


@route("GET /users/@me/guilds")
def my_guilds(request: Request) -> list[dict[str, Any]]:
    """The guilds the bot is in."""
    bot = request.state.bot.id
    guilds = [guild for guild in request.state.guilds.values() if bot in guild.members]
    return [
        {"id": str(one.id), "name": one.name, "owner": False, "permissions": str(one.permissions(bot))}
        for one in guilds
    ]


@route("POST /users/@me/channels")
def create_direct(request: Request) -> dict[str, Any]:
    """Opens the direct chat with somebody; writing there may still be refused."""
    problems = FormErrors()
    user_id = problems.snowflake(request.values.get("recipient_id"), "recipient_id")
    problems.check()
    user = request.state.users.get(user_id)
    if user is None:
        raise refused(50033)
    if user.is_bot:
        raise forbidden(50007)
    return channel_dict(request.state.direct(user), request.state.bot.id)


@route("GET /users/{user_id}")
def get_user(request: Request) -> dict[str, Any]:
    """Anybody."""
    return request.user().as_dict()


# --- channels and threads


@route("GET /channels/{channel_id}")
def get_channel(request: Request) -> dict[str, Any]:
    """A channel the bot sees."""
    return channel_dict(request.channel(), request.state.bot.id)


@route("PATCH /channels/{channel_id}")
def edit_channel(request: Request) -> dict[str, Any]:
    """Renames, archives or locks a thread; other channels are people's to change here."""
    channel, bot = request.channel(), request.state.bot.id
    if not channel.is_thread:
        raise forbidden(50013)
    if channel.owner_id != bot and not channel.can(bot, "manage_threads"):
        raise forbidden(50013)
    problems = FormErrors()
    if "name" in request.values:
        channel.name = problems.text(request.values["name"], "name", 1, 100) or channel.name
    problems.check()
    channel.archived = bool(request.values.get("archived", channel.archived))
    channel.locked = bool(request.values.get("locked", channel.locked))
    request.state.thread_changed(channel)
    return channel_dict(channel, bot)


@route("POST /channels/{channel_id}/messages/{message_id}/threads")
def thread_from_message(request: Request) -> dict[str, Any]:
    """Starts a thread from a message; its id is the message's."""
    channel = request.channel()
    message = request.message(channel)
    _may_thread(request, channel, "create_public_threads")
    if int(message["id"]) in request.state.channels:
        raise refused(160004)
    name, minutes = _named(request)
    thread = open_thread(request.state, channel, name, request.state.bot, message=message)
    thread.archive_minutes = minutes
    return channel_dict(thread, request.state.bot.id)


@route("POST /channels/{channel_id}/threads")
def start_thread(request: Request) -> dict[str, Any]:
    """Starts a thread without a message, or a forum's post with its first message."""
    channel, state = request.channel(), request.state
    if channel.kind == FORUM:
        return _forum_post(request, channel)
    kind = request.values.get("type", PRIVATE_THREAD)
    if kind not in (PUBLIC_THREAD, PRIVATE_THREAD):
        problems = FormErrors()
        problems.choices("type", (10, 11, 12))
        problems.check()
    _may_thread(request, channel, "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads")
    name, minutes = _named(request)
    thread = open_thread(state, channel, name, state.bot, kind=kind)
    thread.archive_minutes = minutes
    return channel_dict(thread, state.bot.id)


def _may_thread(request: Request, channel: GuildChannel, permission: str) -> None:
    if channel.kind not in {TEXT, NEWS}:
        raise refused(50024)
    if not channel.can(request.state.bot.id, permission):
        raise forbidden(50013)


def _named(request: Request) -> tuple[str, int]:
    problems = FormErrors()
    name = problems.text(request.values.get("name"), "name", 1, 100)
    minutes = request.values.get("auto_archive_duration") or 1440
    if minutes not in ARCHIVE_MINUTES:
        problems.choices("auto_archive_duration", ARCHIVE_MINUTES)
    problems.check()
    return name, minutes


def _forum_post(request: Request, forum: GuildChannel) -> dict[str, Any]:
    state = request.state
    if not forum.can(state.bot.id, "send_messages"):
        raise forbidden(50013)
    name, minutes = _named(request)
    problems = FormErrors()
    values = problems.model(request.values.get("message"), "message")
    problems.check()
    thread = GuildChannel(state.ids(), PUBLIC_THREAD, name, state.now(), forum.guild, forum, owner_id=state.bot.id)
    thread.archive_minutes = minutes
    first = send(request, thread, values)
    return {**channel_dict(thread, state.bot.id), "message": first}


def open_thread(
    state: DiscordState,
    channel: GuildChannel,
    name: str,
    owner: DiscordUser,
    *,
    kind: int = PUBLIC_THREAD,
    message: Message | None = None,
) -> GuildChannel:
    """A thread under a channel, with the notices Discord leaves in both."""
    made = GuildChannel(state.ids(), kind, name, state.now(), channel.guild, channel, owner_id=owner.id)
    if message is not None:
        made.id = int(message["id"])
    made.members.add(owner.id)
    state.add_channel(made)
    state.thread_created(made)
    if message is not None:
        state.edit(channel, message, {"flags": message["flags"] | HAS_THREAD}, stamp=False)
        fields: Message = {"type": THREAD_STARTER, "message_reference": reference(channel, message)}
        state.post(made, owner, fields)
    elif kind == PUBLIC_THREAD:
        place = {"type": 0, "channel_id": str(made.id)}
        if channel.guild is not None:
            place["guild_id"] = str(channel.guild.id)
        state.post(channel, owner, {"type": THREAD_CREATED, "content": name, "message_reference": place})
    return made


@route("PUT /channels/{channel_id}/thread-members/@me", "DELETE /channels/{channel_id}/thread-members/@me")
def join_thread(request: Request) -> None:
    """Joins a thread, or leaves it."""
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
    guild = request.state.guilds.get(request.ident("guild_id"))
    if guild is None:
        raise unknown(10004)
    if request.state.bot.id not in guild.members:
        raise forbidden(50001)
    return guild


@route("GET /guilds/{guild_id}")
def get_guild(request: Request) -> dict[str, Any]:
    """A guild the bot is in."""
    return guild_dict(_guild(request))


@route("GET /guilds/{guild_id}/channels")
def guild_channels(request: Request) -> list[dict[str, Any]]:
    """Its channels, without threads; those the bot does not see are listed too, as Discord does."""
    return [channel_dict(one, request.state.bot.id) for one in _guild(request).channels.values()]


@route("GET /guilds/{guild_id}/roles")
def guild_roles(request: Request) -> Any:
    """Its roles."""
    return guild_dict(_guild(request))["roles"]


@route("GET /guilds/{guild_id}/threads/active")
def active_threads(request: Request) -> dict[str, Any]:
    """Threads that are not archived."""
    guild, bot = _guild(request), request.state.bot.id
    mine = [one for one in request.state.channels.values() if one.guild is guild and one.is_thread]
    shown = [channel_dict(one, bot) for one in reversed(mine) if not one.archived and one.sees(bot)]
    return {"threads": shown, "members": [one["member"] for one in shown if "member" in one], "has_more": False}


@route("GET /channels/{channel_id}/threads/archived/public")
def archived_threads(request: Request) -> dict[str, Any]:
    """Archived threads of a channel."""
    channel, bot = request.channel(), request.state.bot.id
    mine = [one for one in request.state.channels.values() if one.parent is channel and one.archived]
    shown = [channel_dict(one, bot) for one in reversed(mine) if one.kind != PRIVATE_THREAD]
    return {"threads": shown, "members": [], "has_more": False}


@route("GET /guilds/{guild_id}/members/{user_id}")
def guild_member(request: Request) -> dict[str, Any]:
    """One member."""
    guild, user = _guild(request), request.user()
    if user.id not in guild.members:
        raise unknown(10007)
    return member_dict(guild, user)
