"""A message as somebody is shown it: attachments signed, replies and reactions filled in, content kept back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from agent_channels.sandbox.discord.api_objects import channel_dict, emoji_dict, member_dict
from agent_channels.sandbox.discord.records import DM, GuildChannel, Message

if TYPE_CHECKING:
    from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["emoji_of", "render"]

BLANKS: dict[str, Any] = {"content": "", "embeds": [], "attachments": [], "components": []}


def render(
    state: DiscordState,
    channel: GuildChannel,
    message: Message,
    *,
    content: bool = True,
    gateway: bool = False,
    deep: bool = True,
) -> Message:
    """A copy of a message. `content`: the reader has the Message Content intent; `gateway`: with guild and member.

    `deep` fills in the message that was replied to, which itself is shown without that.
    """
    shown = copy.deepcopy(message)
    shown["attachments"] = [state.files.described(int(one)) for one in message["attachments"]]
    if deep and message["type"] in {19, 21}:
        shown["referenced_message"] = _referenced(state, message, content=content)
    thread = state.channels.get(int(message["id"]))
    if thread is not None and thread.is_thread and thread is not channel:
        shown["thread"] = channel_dict(thread, state.bot.id)
    counted = _reactions(state, channel, message)
    if counted and not gateway:
        shown["reactions"] = counted
    if gateway:
        shown["channel_type"] = channel.kind
        if channel.guild is not None:
            shown["guild_id"] = str(channel.guild.id)
            author = state.users.get(int(message["author"]["id"]))
            if author is not None and "webhook_id" not in message:
                shown["member"] = member_dict(channel.guild, author, with_user=False)
            for mentioned in shown["mentions"]:
                who = state.users[int(mentioned["id"])]
                mentioned["member"] = member_dict(channel.guild, who, with_user=False)
    if not content and _is_private(state, channel, message):
        shown |= copy.deepcopy(BLANKS)
        shown.pop("message_snapshots", None)
    return shown


def _is_private(state: DiscordState, channel: GuildChannel, message: Message) -> bool:
    """Whether the content needs the intent: not in direct chats, own messages, or ones that mention the bot."""
    if channel.kind == DM or message["author"]["id"] == str(state.bot.id):
        return False
    return all(user["id"] != str(state.bot.id) for user in message["mentions"])


def _referenced(state: DiscordState, message: Message, *, content: bool) -> Message | None:
    reference = message["message_reference"]
    place = state.channels.get(int(reference["channel_id"]))
    target = place.messages.get(int(reference["message_id"])) if place else None
    if place is None or target is None:
        return None
    return render(state, place, target, content=content, deep=False)


def emoji_of(state: DiscordState, key: str) -> dict[str, Any]:
    """The partial emoji of a reaction kept as "👍" or "name:id"."""
    name, found, number = key.partition(":")
    if not found:
        return {"id": None, "name": key}
    guild = next((one for one in state.guilds.values() if int(number) in one.emojis), None)
    return {"id": number, "name": emoji_dict(guild, int(number))["name"] if guild else name}


def _reactions(state: DiscordState, channel: GuildChannel, message: Message) -> list[dict[str, Any]]:
    counted = []
    for key, users in channel.reactions.get(int(message["id"]), {}).items():
        me = state.bot.id in users
        details = {"burst": 0, "normal": len(users)}
        one: dict[str, Any] = {"emoji": emoji_of(state, key), "count": len(users), "count_details": details}
        counted.append({**one, "me": me, "me_burst": False, "burst_colors": [], "burst_count": 0, "burst_me": False})
    return counted
