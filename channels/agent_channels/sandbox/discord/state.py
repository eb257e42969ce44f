"""What exists on the sandbox's Discord: the bot, people, guilds, channels, messages, and the events about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent_channels.sandbox.discord.api_objects import channel_dict, member_dict
from agent_channels.sandbox.discord.attachments import AttachmentStore
from agent_channels.sandbox.discord.errors import forbidden, unknown
from agent_channels.sandbox.discord.intents import CONTENT, GatewayEvent, intent
from agent_channels.sandbox.discord.records import DM, DiscordUser, Guild, GuildChannel, Message, Snowflakes, iso
from agent_channels.sandbox.discord.render import emoji_of, render
from agent_channels.sandbox.server import SandboxState

__all__ = ["DiscordState", "Ephemeral"]

T = TypeVar("T")


@dataclass
class Ephemeral:
    """A message that only one person sees."""

    message: Message
    channel: GuildChannel
    user_id: int


@dataclass
class Portal:
    """The switches of the developer portal that matter here."""

    members: bool = False
    presences: bool = False
    content: bool = True


@dataclass
class DiscordState(SandboxState):
    """The state behind one bot. Everything is in memory, and every change wakes who waits in `wait_for`."""

    bot: DiscordUser
    portal: Portal = field(default_factory=Portal)
    users: dict[int, DiscordUser] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    channels: dict[int, GuildChannel] = field(default_factory=dict)
    ephemerals: dict[int, Ephemeral] = field(default_factory=dict)
    nonces: dict[str, tuple[float, GuildChannel, int]] = field(default_factory=dict)
    listeners: list[Callable[[GatewayEvent], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Makes what needs the clock."""
        super().__init__()
        self.ids = Snowflakes(self.now)
        self.files = AttachmentStore(self.now, self.ids)
        self.users[self.bot.id] = self.bot

    # --- people and channels

    def add_user(self, username: str, global_name: str | None) -> DiscordUser:
        """A new person."""
        user = DiscordUser(self.ids(), username, global_name)
        self.users[user.id] = user
        return user

    def direct(self, user: DiscordUser) -> GuildChannel:
        """The direct chat with a person, made at first use."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        return self.add_channel(GuildChannel(self.ids(), DM, "", self.now(), recipient=user))

    def add_channel(self, channel: GuildChannel) -> GuildChannel:
        """Enters a channel."""
        self.channels[channel.id] = channel
        if channel.guild is not None and not channel.is_thread:
            channel.position = len(channel.guild.channels)
            channel.guild.channels[channel.id] = channel
        return channel

    def channel(self, channel_id: int) -> GuildChannel:
        """A channel the bot sees. Raises DiscordError 10003 or 50001."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise unknown(10003)
        if not channel.sees(self.bot.id):
            raise forbidden(50001)
        return channel

    def find(self, message_id: int) -> tuple[GuildChannel, Message]:
        """A message anywhere, those for one person's eyes included. Raises LookupError."""
        for channel in self.channels.values():
            if message_id in channel.messages:
                return channel, channel.messages[message_id]
        if message_id in self.ephemerals:
            kept = self.ephemerals[message_id]
            return kept.channel, kept.message
        raise LookupError(f"no message {message_id}")

    # --- messages

    def draft(self, channel: GuildChannel, author: DiscordUser, fields: Message) -> Message:
        """A message with everything Discord puts into one; not in the channel yet."""
        number = channel.id if channel.is_new_post else self.ids()
        message: Message = {"type": 0, "id": str(number), "channel_id": str(channel.id)}
        message |= {"author": author.as_dict(), "content": "", "timestamp": iso(self.now()), "edited_timestamp": None}
        message |= {"tts": False, "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": []}
        return {**message, "embeds": [], "pinned": False, "components": [], "flags": 0, **fields}

    def post(self, channel: GuildChannel, author: DiscordUser, fields: Message, nonce: Any = None) -> Message:
        """Puts a message into a channel and tells the bot; `nonce` is told once, with the event."""
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
            channel.bot_log.append(int(message["id"]))
        self.announce(channel, message, nonce)
        return message

    def announce(self, channel: GuildChannel, message: Message, nonce: Any = None) -> None:
        """Tells the bot of a new message."""
        self._tell_message("MESSAGE_CREATE", channel, message, {} if nonce is None else {"nonce": nonce})

    def edit(self, channel: GuildChannel, message: Message, fields: Message, *, stamp: bool = True) -> None:
        """Changes a message. `stamp`: it counts as edited."""
        message |= fields
        if stamp:
            message["edited_timestamp"] = iso(self.now())
        if int(message["id"]) in self.ephemerals:
            self.changed()
            return
        self._tell_message("MESSAGE_UPDATE", channel, message, {})

    def delete(self, channel: GuildChannel, message_id: int) -> None:
        """Takes a message away."""
        del channel.messages[message_id]
        channel.reactions.pop(message_id, None)
        self.emit("MESSAGE_DELETE", "messages", channel, {"id": str(message_id)})

    def react(self, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str) -> None:
        """One person's reaction; once each."""
        users = channel.reactions.setdefault(message_id, {}).setdefault(emoji, [])
        if user.id in users:
            return
        users.append(user.id)
        self._tell_reaction("MESSAGE_REACTION_ADD", channel, message_id, user, emoji)

    def unreact(self, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str) -> None:
        """Takes one person's reaction back."""
        by_emoji = channel.reactions.get(message_id, {})
        if user.id not in by_emoji.get(emoji, []):
            return
        by_emoji[emoji].remove(user.id)
        if not by_emoji[emoji]:
            del by_emoji[emoji]
        self._tell_reaction("MESSAGE_REACTION_REMOVE", channel, message_id, user, emoji)

    def typed(self, channel: GuildChannel, user: DiscordUser) -> None:
        """Somebody is writing."""
        channel.typing.append((self.now(), user.id))
        payload: dict[str, Any] = {"user_id": str(user.id), "timestamp": int(self.now())}
        if channel.guild is not None:
            payload["member"] = member_dict(channel.guild, user)
        self.emit("TYPING_START", "typing", channel, payload)

    # --- events

    def thread_created(self, thread: GuildChannel) -> None:
        """Tells of a new thread."""

        def make(_: int) -> dict[str, Any]:
            return {**channel_dict(thread, self.bot.id), "newly_created": True}

        self.tell("THREAD_CREATE", "guilds", thread, make)

    def thread_changed(self, thread: GuildChannel) -> None:
        """Tells of a thread that was archived, renamed, locked."""
        self.tell("THREAD_UPDATE", "guilds", thread, lambda _: channel_dict(thread, self.bot.id))

    def emit(self, name: str, topic: str, channel: GuildChannel, payload: dict[str, Any]) -> None:
        """Tells the bot of something in a channel; channel and guild are added."""
        place = {"channel_id": str(channel.id)}
        if channel.guild is not None:
            place["guild_id"] = str(channel.guild.id)
        self.tell(name, topic, channel, lambda _: {**payload, **place})

    def tell(self, name: str, topic: str, channel: GuildChannel | None, make: Callable[[int], dict[str, Any]]) -> None:
        """Tells sessions with the intent, if the bot sees the channel; `make` gets a session's intents."""
        if channel is None or channel.sees(self.bot.id):
            direct = channel is not None and channel.guild is None
            event = GatewayEvent(name, intent(topic, direct=direct), make)
            for listener in self.listeners:
                listener(event)
        self.changed()

    def _tell_message(self, name: str, channel: GuildChannel, message: Message, extra: dict[str, Any]) -> None:
        def make(intents: int) -> Message:
            return {**render(self, channel, message, content=bool(intents & CONTENT), gateway=True), **extra}

        self.tell(name, "messages", channel, make)

    def _tell_reaction(self, name: str, channel: GuildChannel, message_id: int, user: DiscordUser, emoji: str) -> None:
        payload: dict[str, Any] = {"user_id": str(user.id), "message_id": str(message_id), "burst": False, "type": 0}
        payload["emoji"] = emoji_of(self, emoji)
        if name.endswith("ADD"):
            payload["message_author_id"] = channel.messages[message_id]["author"]["id"]
            if channel.guild is not None:
                payload["member"] = member_dict(channel.guild, user)
        self.emit(name, "reactions", channel, payload)
