"""Guilds as people run them: members, rooms, threads, forums, permissions, the bot coming and going."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.people import DiscordPerson, Ident, next_bot_message, number_of
from agent_channels.sandbox.discord.places import open_thread
from agent_channels.sandbox.discord.records import (
    DEFAULT_PERMISSIONS,
    FORUM,
    NEWS,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    Guild,
    GuildChannel,
    Message,
    Role,
    bits,
)
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.sessions import guild_create
from agent_channels.sandbox.discord.shapes import channel_dict, guild_dict, member_dict
from agent_channels.sandbox.discord.world import DiscordWorld
from agent_channels.sandbox.server import PATIENCE_S

__all__ = ["Room", "Server"]


class Room:
    """A channel, forum or thread of a guild; `record` is what is known of it."""

    def __init__(self, server: Server, record: GuildChannel) -> None:
        self.server = server
        self.world = server.world
        self.record = record

    @property
    def id(self) -> int:
        """The channel id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    def messages(self) -> list[Message]:
        """The channel as it looks now, oldest first."""
        return [render(self.world, self.record, one) for _, one in sorted(self.record.messages.items())]

    async def next_message(self, timeout: float = PATIENCE_S) -> Message:
        """The bot's next message here that nobody waited for yet. Raises TimeoutError."""
        return await next_bot_message(self, self.record, timeout)

    # --- threads

    def thread(
        self, name: str, *, by: DiscordPerson | None = None, message: Ident | None = None, private: bool = False
    ) -> Room:
        """Starts a thread, from a message or without; `by` is who does, the owner if nobody is named."""
        if self.record.kind not in {TEXT, NEWS}:
            raise ValueError(f"{self.name!r} has no threads of this kind; a forum has post(title, text)")
        source = self.record.messages[number_of(message)] if message is not None else None
        owner = (by or self.server.owner).user
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        made = open_thread(self.world, self.record, name, owner, kind=kind, message=source)
        return Room(self.server, made)

    def post(self, title: str, text: str, *, by: DiscordPerson | None = None) -> Room:
        """Posts in a forum: a thread whose first message has its id."""
        if self.record.kind != FORUM:
            raise ValueError(f"{self.name!r} is no forum: make it with guild.forum(name)")
        person = by or self.server.owner
        now = self.world.now()
        thread = GuildChannel(
            self.world.ids(), PUBLIC_THREAD, title, now, self.record.guild, self.record, owner_id=person.id
        )
        room = Room(self.server, thread)
        self.world.post(thread, person.user, {"content": text})
        return room

    def archive(self, *, locked: bool = False) -> None:
        """Archives a thread; `locked`: nobody without the permission can open it again."""
        self.record.archived, self.record.locked = True, locked
        self.world.thread_changed(self.record)

    # --- rules

    def deny(self, *permissions: str) -> None:
        """Takes permissions from the bot here, as "view_channel" or "send_messages"."""
        self._overwrite(0, bits(*permissions))

    def allow(self, *permissions: str) -> None:
        """Gives them to the bot here."""
        self._overwrite(bits(*permissions), 0)

    def _overwrite(self, allow: int, deny: int) -> None:
        bot = self.world.bot.id
        _, allowed, denied = self.record.overwrites.get(bot, (1, 0, 0))
        saw = self.record.sees(bot)
        self.record.overwrites[bot] = (1, (allowed | allow) & ~deny, (denied | deny) & ~allow)
        if saw and not self.record.sees(bot):
            self.server.tell("CHANNEL_DELETE", channel_dict(self.record, bot))
        else:
            name = "CHANNEL_UPDATE" if saw else "CHANNEL_CREATE"
            self.world.tell(name, "guilds", self.record, lambda _: channel_dict(self.record, bot))

    def delete(self) -> None:
        """Deletes the channel with everything in it."""
        bot = self.world.bot.id
        kind = "THREAD_DELETE" if self.record.is_thread else "CHANNEL_DELETE"
        self.world.tell(kind, "guilds", self.record, lambda _: channel_dict(self.record, bot))
        channels = list(self.world.channels.values())
        for channel in [one for one in channels if self.record is one or self.record is one.parent]:
            del self.world.channels[channel.id]
        self.server.record.channels.pop(self.id, None)
        self.world.changed()


class Server:
    """A guild. `owner` is who made it and acts for it."""

    def __init__(self, world: DiscordWorld, name: str, owner: DiscordPerson, premium_tier: int) -> None:
        self.world = world
        self.owner = owner
        self.record = Guild(world.ids(), name, owner.id, premium_tier)
        self.record.roles[self.record.id] = Role(self.record.id, "@everyone", DEFAULT_PERMISSIONS)
        self.record.members[owner.id] = world.now()
        world.guilds[self.record.id] = self.record

    @property
    def id(self) -> int:
        """The guild id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    # --- rooms

    def channel(self, name: str, *, news: bool = False, topic: str | None = None) -> Room:
        """A text channel, made at first mention."""
        return self._room(name, NEWS if news else TEXT, topic)

    def forum(self, name: str) -> Room:
        """A forum, made at first mention."""
        return self._room(name, FORUM, None)

    def _room(self, name: str, kind: int, topic: str | None) -> Room:
        for known in self.record.channels.values():
            if known.name == name:
                return Room(self, known)
        made = GuildChannel(self.world.ids(), kind, name, self.world.now(), self.record, topic=topic)
        self.world.add_channel(made)
        self.world.tell("CHANNEL_CREATE", "guilds", made, lambda _: channel_dict(made, self.world.bot.id))
        return Room(self, made)

    # --- members

    def add(self, person: DiscordPerson, nick: str | None = None) -> None:
        """Lets somebody in."""
        if nick is not None:
            self.record.nicks[person.id] = nick
        if person.id in self.record.members:
            return
        self.record.members[person.id] = self.world.now()
        self.tell("GUILD_MEMBER_ADD", {**member_dict(self.record, person.user), **self._here()}, "members")

    def remove(self, person: DiscordPerson) -> None:
        """Puts somebody out."""
        self.record.members.pop(person.id, None)
        self.tell("GUILD_MEMBER_REMOVE", {"user": person.user.as_dict(), **self._here()}, "members")

    def role(self, name: str, *members: DiscordPerson) -> int:
        """A role that can be mentioned; its id."""
        role = Role(self.world.ids(), name, members={person.id for person in members})
        self.record.roles[role.id] = role
        self.tell("GUILD_UPDATE", guild_dict(self.record))
        return role.id

    def emoji(self, name: str) -> str:
        """An emoji of the guild's own, as reactions name it: "name:id"."""
        number = self.world.ids()
        self.record.emojis[number] = name
        self.tell("GUILD_UPDATE", guild_dict(self.record))
        return f"{name}:{number}"

    # --- the bot

    def add_bot(self, *, administrator: bool = False) -> None:
        """Invites the bot, or changes whether it is administrator."""
        bot = self.world.bot
        mine = next((role for role in self.record.roles.values() if role.bot_id == bot.id), None)
        if mine is None:
            mine = Role(self.world.ids(), bot.username, bot_id=bot.id)
            self.record.roles[mine.id] = mine
        mine.members.add(bot.id)
        mine.permissions = bits("administrator") if administrator else 0
        if bot.id in self.record.members:
            self.tell("GUILD_UPDATE", guild_dict(self.record))
            return
        self.record.members[bot.id] = self.world.now()
        self.world.tell("GUILD_CREATE", "guilds", None, lambda intents: guild_create(self.world, self.record, intents))

    def kick_bot(self) -> None:
        """Puts the bot out."""
        bot = self.world.bot.id
        self.tell("GUILD_DELETE", {"id": str(self.id), "unavailable": False})
        self.record.members.pop(bot, None)
        for role in [role for role in self.record.roles.values() if role.bot_id == bot]:
            del self.record.roles[role.id]
        self.world.changed()

    def tell(self, name: str, payload: dict[str, Any], topic: str = "guilds") -> None:
        """Tells the bot of something in the guild, if it is a member."""
        if self.world.bot.id in self.record.members:
            self.world.tell(name, topic, None, lambda _: payload)

    def _here(self) -> dict[str, str]:
        return {"guild_id": str(self.id)}
