"""The state of the fake Discord: the bot, people, guilds, channels, messages, and the gateway events about them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_channels.sandbox.discord.api_objects import channel_object, emoji_object, member_object
from agent_channels.sandbox.discord.attachments import AttachmentStore
from agent_channels.sandbox.discord.errors import forbidden, unknown
from agent_channels.sandbox.discord.intents import CONTENT, GatewayEvent, intent
from agent_channels.sandbox.discord.records import (
    DM,
    DiscordUser,
    Guild,
    GuildChannel,
    Message,
    SnowflakeGenerator,
    iso,
)
from agent_channels.sandbox.server import SandboxState

__all__ = ["IS_VOICE", "REPLY", "THREAD_STARTER", "DiscordState", "Ephemeral"]

# The fields that are blank without the Message Content intent.
BLANKS: dict[str, Any] = {"content": "", "embeds": [], "attachments": [], "components": []}
# "Message Types" that refer to another message.
REPLY, THREAD_STARTER = 19, 21
# "Message Flags"
IS_VOICE = 1 << 13


@dataclass
class Ephemeral:
    """A message that only one person sees."""

    message: Message
    channel: GuildChannel
    user_id: int


@dataclass
class Portal:
    """The privileged intents that are switched on in the developer portal."""

    members: bool = False
    presences: bool = False
    content: bool = True


class DiscordState(SandboxState):
    """Everything Discord knows about one bot.

    `nonces` maps a sent message's nonce to (time, channel, message id). `listeners` are called with every event that
    the bot may see.
    """

    def __init__(self, bot: DiscordUser, ids: SnowflakeGenerator | None = None) -> None:
        """`ids`: those of another bot's state, so that no two things have the same one."""
        super().__init__()
        self.bot = bot
        self.portal = Portal()
        self.users: dict[int, DiscordUser] = {bot.id: bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, GuildChannel] = {}
        self.ephemerals: dict[int, Ephemeral] = {}
        self.nonces: dict[str, tuple[float, GuildChannel, int]] = {}
        self.listeners: list[Callable[[GatewayEvent], None]] = []
        self.ids = ids or SnowflakeGenerator(self.now)
        self.files = AttachmentStore(self.now, self.ids)

    # --- people and channels

    def add_user(self, username: str, global_name: str | None, user_id: int | None = None) -> DiscordUser:
        """Add a person; `user_id`: None for a new one."""
        user = DiscordUser(user_id or self.ids(), username, global_name)
        self.users[user.id] = user
        return user

    def direct(self, user: DiscordUser) -> GuildChannel:
        """Return the direct chat with a person, creating it on first use."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        return self.add_channel(GuildChannel(self.ids(), DM, "", self.now(), recipient=user))

    def add_channel(self, channel: GuildChannel) -> GuildChannel:
        """Add a channel and return it."""
        self.channels[channel.id] = channel
        if channel.guild is not None and not channel.is_thread:
            channel.position = len(channel.guild.channels)
            channel.guild.channels[channel.id] = channel
        return channel

    def channel(self, channel_id: int) -> GuildChannel:
        """Return a channel the bot sees. Raises DiscordError 10003 or 50001."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise unknown(10003)
        if not channel.sees(self.bot.id):
            raise forbidden(50001)
        return channel

    def find(self, message_id: int) -> tuple[GuildChannel, Message]:
        """Return a message in any channel, ephemeral ones included, with its channel. Raises LookupError."""
        for channel in self.channels.values():
            if message_id in channel.messages:
                return channel, channel.messages[message_id]
        if message_id in self.ephemerals:
            ephemeral = self.ephemerals[message_id]
            return ephemeral.channel, ephemeral.message
        raise LookupError(f"no message {message_id}")

    # --- messages

    def draft(self, channel: GuildChannel, author: DiscordUser, fields: Message) -> Message:
        """Return a complete message that is not in the channel yet."""
        message_id = channel.id if channel.is_new_post else self.ids()
        message: Message = {"type": 0, "id": str(message_id), "channel_id": str(channel.id)}
        message |= {"author": author.as_dict(), "content": "", "timestamp": iso(self.now()), "edited_timestamp": None}
        message |= {"tts": False, "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": []}
        return {**message, "embeds": [], "pinned": False, "components": [], "flags": 0, **fields}

    def post(self, channel: GuildChannel, author: DiscordUser, fields: Message, nonce: Any = None) -> Message:
        """Put a message into a channel and dispatch it; only the event carries the `nonce`."""
        message = self.draft(channel, author, fields)
        if channel.is_new_post:
            self.add_channel(channel)
            self.thread_created(channel)
        channel.messages[int(message["id"])] = message
        channel.last_message_id = int(message["id"])
        channel.total_sent += 1
        if channel.archived:
            channel.archived = False
            self.thread_changed(channel)
        if channel.is_thread:
            channel.members.add(author.id)
        if author is self.bot:
            channel.bot_message_ids.append(int(message["id"]))
        self._dispatch_message("MESSAGE_CREATE", channel, message, {} if nonce is None else {"nonce": nonce})
        return message

    def edit(self, channel: GuildChannel, message: Message, fields: Message, *, stamp: bool = True) -> None:
        """Change a message; `stamp` marks it as edited."""
        message |= fields
        if stamp:
            message["edited_timestamp"] = iso(self.now())
        if int(message["id"]) in self.ephemerals:
            self.changed()
            return
        self._dispatch_message("MESSAGE_UPDATE", channel, message, {})

    def delete(self, channel: GuildChannel, message_id: int) -> None:
        """Delete a message."""
        del channel.messages[message_id]
        channel.reactions.pop(message_id, None)
        self.dispatch_in("MESSAGE_DELETE", "messages", channel, {"id": str(message_id)})

    def react(self, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str) -> None:
        """Add a user's reaction; adding it twice changes nothing."""
        users = channel.reactions.setdefault(message_id, {}).setdefault(emoji, [])
        if user.id in users:
            return
        users.append(user.id)
        self._dispatch_reaction("MESSAGE_REACTION_ADD", channel, message_id, user, emoji)

    def unreact(self, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str) -> None:
        """Remove a user's reaction, if there is one."""
        by_emoji = channel.reactions.get(message_id, {})
        if user.id not in by_emoji.get(emoji, []):
            return
        by_emoji[emoji].remove(user.id)
        if not by_emoji[emoji]:
            del by_emoji[emoji]
        self._dispatch_reaction("MESSAGE_REACTION_REMOVE", channel, message_id, user, emoji)

    def start_typing(self, channel: GuildChannel, user: DiscordUser) -> None:
        """Show a user as typing."""
        channel.typing.append((self.now(), user.id))
        payload: dict[str, Any] = {"user_id": str(user.id), "timestamp": int(self.now())}
        if channel.guild is not None:
            payload["member"] = member_object(channel.guild, user)
        self.dispatch_in("TYPING_START", "typing", channel, payload)

    # --- messages as somebody sees them

    def render(
        self,
        channel: GuildChannel,
        message: Message,
        *,
        content: bool = True,
        gateway: bool = False,
        with_referenced: bool = True,
    ) -> Message:
        """Return a copy of a message with signed attachments, the replied message and reactions.

        `content`: the reader has the Message Content intent. `gateway`: add the guild and the member, as events do.
        """
        rendered = copy.deepcopy(message)
        rendered["attachments"] = [self.files.attachment_object(int(number)) for number in message["attachments"]]
        if message["flags"] & IS_VOICE:
            for file in rendered["attachments"]:
                file |= {"duration_secs": 3.0, "waveform": "AAAA"}
        if with_referenced and message["type"] in {REPLY, THREAD_STARTER}:
            rendered["referenced_message"] = self._referenced(message, content=content)
        thread = self.channels.get(int(message["id"]))
        if thread is not None and thread.is_thread and thread is not channel:
            rendered["thread"] = channel_object(thread, self.bot.id)
        reactions = self._reaction_objects(channel, message)
        if reactions and not gateway:
            rendered["reactions"] = reactions
        if gateway:
            rendered["channel_type"] = channel.kind
            if channel.guild is not None:
                self._add_members(channel.guild, rendered)
        if not content and self._needs_content_intent(channel, message):
            rendered |= copy.deepcopy(BLANKS)
            rendered.pop("message_snapshots", None)
        return rendered

    def current_messages(self, channel: GuildChannel) -> list[Message]:
        """Return a channel's messages as people see them now, oldest first."""
        return [self.render(channel, message) for _, message in sorted(channel.messages.items())]

    def _add_members(self, guild: Guild, rendered: Message) -> None:
        rendered["guild_id"] = str(guild.id)
        author = self.users.get(int(rendered["author"]["id"]))
        if author is not None and "webhook_id" not in rendered:
            rendered["member"] = member_object(guild, author, with_user=False)
        for mention in rendered["mentions"]:
            user = self.users[int(mention["id"])]
            mention["member"] = member_object(guild, user, with_user=False)

    def _needs_content_intent(self, channel: GuildChannel, message: Message) -> bool:
        """Return False for direct chats, the bot's own messages, and messages that mention the bot."""
        if channel.kind == DM or message["author"]["id"] == str(self.bot.id):
            return False
        return all(user["id"] != str(self.bot.id) for user in message["mentions"])

    def _referenced(self, message: Message, *, content: bool) -> Message | None:
        reference = message["message_reference"]
        channel = self.channels.get(int(reference["channel_id"]))
        target = channel.messages.get(int(reference["message_id"])) if channel else None
        if channel is None or target is None:
            return None
        return self.render(channel, target, content=content, with_referenced=False)

    def _emoji_object(self, key: str) -> dict[str, Any]:
        """Return the partial emoji of a reaction kept as "👍" or "name:id"."""
        name, colon, emoji_id = key.partition(":")
        if not colon:
            return {"id": None, "name": key}
        guild = next((guild for guild in self.guilds.values() if int(emoji_id) in guild.emojis), None)
        return {"id": emoji_id, "name": emoji_object(guild, int(emoji_id))["name"] if guild else name}

    def _reaction_objects(self, channel: GuildChannel, message: Message) -> list[dict[str, Any]]:
        reactions = []
        for key, users in channel.reactions.get(int(message["id"]), {}).items():
            count = len(users)
            made: dict[str, Any] = {"emoji": self._emoji_object(key), "count": count}
            made |= {"count_details": {"burst": 0, "normal": count}, "me": self.bot.id in users}
            reactions.append({**made, "me_burst": False, "burst_colors": [], "burst_count": 0, "burst_me": False})
        return reactions

    # --- events

    def thread_created(self, thread: GuildChannel) -> None:
        """Dispatch THREAD_CREATE."""

        def make_payload(_: int) -> dict[str, Any]:
            return {**channel_object(thread, self.bot.id), "newly_created": True}

        self.dispatch("THREAD_CREATE", "guilds", thread, make_payload)

    def thread_changed(self, thread: GuildChannel) -> None:
        """Dispatch THREAD_UPDATE for a thread that was archived, renamed or locked."""
        self.dispatch("THREAD_UPDATE", "guilds", thread, lambda _: channel_object(thread, self.bot.id))

    def dispatch_in(self, name: str, topic: str, channel: GuildChannel, payload: dict[str, Any]) -> None:
        """Dispatch an event in a channel; the ids of channel and guild are added to the payload."""
        place = {"channel_id": str(channel.id)}
        if channel.guild is not None:
            place["guild_id"] = str(channel.guild.id)
        self.dispatch(name, topic, channel, lambda _: {**payload, **place})

    def dispatch(
        self, name: str, topic: str, channel: GuildChannel | None, make_payload: Callable[[int], dict[str, Any]]
    ) -> None:
        """Dispatch an event to sessions with the topic's intent, if the bot sees the channel.

        `make_payload` gets a session's intents.
        """
        if channel is None or channel.sees(self.bot.id):
            direct = channel is not None and channel.guild is None
            event = GatewayEvent(name, intent(topic, direct=direct), make_payload)
            for listener in self.listeners:
                listener(event)
        self.changed()

    def _dispatch_message(self, name: str, channel: GuildChannel, message: Message, extra: dict[str, Any]) -> None:
        def make_payload(intents: int) -> Message:
            return {**self.render(channel, message, content=bool(intents & CONTENT), gateway=True), **extra}

        self.dispatch(name, "messages", channel, make_payload)

    def _dispatch_reaction(
        self, name: str, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str
    ) -> None:
        payload: dict[str, Any] = {"user_id": str(user.id), "message_id": str(message_id), "burst": False, "type": 0}
        payload["emoji"] = self._emoji_object(emoji)
        if name.endswith("ADD"):
            payload["message_author_id"] = channel.messages[message_id]["author"]["id"]
            if channel.guild is not None:
                payload["member"] = member_object(channel.guild, user)
        self.dispatch_in(name, "reactions", channel, payload)
