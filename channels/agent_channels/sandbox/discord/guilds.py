"""Guilds as people run them: members, rooms, threads, forums, permissions, the bot coming and going."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.api_objects import channel_dict, guild_dict, member_dict
from agent_channels.sandbox.discord.channel_routes import open_thread
from agent_channels.sandbox.discord.people import DiscordPerson, Ident, next_bot_message, number_of
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
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

__all__ = ["DiscordChannel", "DiscordGuild"]


class DiscordChannel:
    """A channel, forum or thread of a guild; `record` is what is known of it."""

    def __init__(self, server: DiscordGuild, record: GuildChannel) -> None:
        self.server = server
        self.state = server.state
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
        return [render(self.state, self.record, one) for _, one in sorted(self.record.messages.items())]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """The bot's next message here that nobody waited for yet. Raises TimeoutError."""
        return await next_bot_message(self, self.record, timeout)

    # --- threads

    def thread(
        self, name: str, *, by: DiscordPerson | None = None, message: Ident | None = None, private: bool = False
    ) -> DiscordChannel:
        """Starts a thread, from a message or without; `by` is who does, the owner if nobody is named."""
        if self.record.kind not in {TEXT, NEWS}:
            raise ValueError(f"{self.name!r} has no threads of this kind; a forum has post(title, text)")
        source = self.record.messages[number_of(message)] if message is not None else None
        owner = (by or self.server.owner).user
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        made = open_thread(self.state, self.record, name, owner, kind=kind, message=source)
        return DiscordChannel(self.server, made)

    def post(self, title: str, text: str, *, by: DiscordPerson | None = None) -> DiscordChannel:
        """Posts in a forum: a thread whose first message has its id."""
        if self.record.kind != FORUM:
            raise ValueError(f"{self.name!r} is no forum: make it with guild.forum(name)")
        person = by or self.server.owner
        now = self.state.now()
        thread = GuildChannel(
            self.state.ids(), PUBLIC_THREAD, title, now, self.record.guild, self.record, owner_id=person.id
        )
        room = DiscordChannel(self.server, thread)
        self.state.post(thread, person.user, {"content": text})
        return room

    def archive(self, *, locked: bool = False) -> None:
        """Archives a thread; `locked`: nobody without the permission can open it again."""
        self.record.archived, self.record.locked = True, locked
        self.state.thread_changed(self.record)

    # --- rules

    def deny(self, *permissions: str) -> None:
        """Takes permissions from the bot here, as "view_channel" or "send_messages"."""
        self._overwrite(0, bits(*permissions))

    def allow(self, *permissions: str) -> None:
        """Gives them to the bot here."""
        self._overwrite(bits(*permissions), 0)

    def _overwrite(self, allow: int, deny: int) -> None:
        bot = self.state.bot.id
        _, allowed, denied = self.record.overwrites.get(bot, (1, 0, 0))
        saw = self.record.sees(bot)
        self.record.overwrites[bot] = (1, (allowed | allow) & ~deny, (denied | deny) & ~allow)
        if saw and not self.record.sees(bot):
            self.server.tell("CHANNEL_DELETE", channel_dict(self.record, bot))
        else:
            name = "CHANNEL_UPDATE" if saw else "CHANNEL_CREATE"
            self.state.tell(name, "guilds", self.record, lambda _: channel_dict(self.record, bot))

    def delete(self) -> None:
        """Deletes the channel with everything in it."""
        bot = self.state.bot.id
        kind = "THREAD_DELETE" if self.record.is_thread else "CHANNEL_DELETE"
        self.state.tell(kind, "guilds", self.record, lambda _: channel_dict(self.record, bot))
        channels = list(self.state.channels.values())
        for channel in [one for one in channels if self.record is one or self.record is one.parent]:
            del self.state.channels[channel.id]
        self.server.record.channels.pop(self.id, None)
        self.state.changed()


class DiscordGuild:
    """A guild. `owner` is who made it and acts for it."""

    def __init__(self, state: DiscordState, name: str, owner: DiscordPerson, premium_tier: int) -> None:
        self.state = state
        self.owner = owner
        self.record = Guild(state.ids(), name, owner.id, premium_tier)
        self.record.roles[self.record.id] = Role(self.record.id, "@everyone", DEFAULT_PERMISSIONS)
        self.record.members[owner.id] = state.now()
        state.guilds[self.record.id] = self.record

    @property
    def id(self) -> int:
        """The guild id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    # --- rooms

    def channel(self, name: str, *, news: bool = False, topic: str | None = None) -> DiscordChannel:
        """A text channel, made at first mention."""
        return self._room(name, NEWS if news else TEXT, topic)

    def forum(self, name: str) -> DiscordChannel:
        """A forum, made at first mention."""
        return self._room(name, FORUM, None)

    def _room(self, name: str, kind: int, topic: str | None) -> DiscordChannel:
        for known in self.record.channels.values():
            if known.name == name:
                return DiscordChannel(self, known)
        made = GuildChannel(self.state.ids(), kind, name, self.state.now(), self.record, topic=topic)
        self.state.add_channel(made)
        self.state.tell("CHANNEL_CREATE", "guilds", made, lambda _: channel_dict(made, self.state.bot.id))
        return DiscordChannel(self, made)

    # --- members

    def add(self, person: DiscordPerson, nick: str | None = None) -> None:
        """Lets somebody in."""
        if nick is not None:
            self.record.nicks[person.id] = nick
        if person.id in self.record.members:
            return
        self.record.members[person.id] = self.state.now()
        self.tell("GUILD_MEMBER_ADD", {**member_dict(self.record, person.user), **self._here()}, "members")

    def remove(self, person: DiscordPerson) -> None:
        """Puts somebody out."""
        self.record.members.pop(person.id, None)
        self.tell("GUILD_MEMBER_REMOVE", {"user": person.user.as_dict(), **self._here()}, "members")

    def role(self, name: str, *members: DiscordPerson) -> int:
        """A role that can be mentioned; its id."""
        role = Role(self.state.ids(), name, members={person.id for person in members})
        self.record.roles[role.id] = role
        self.tell("GUILD_UPDATE", guild_dict(self.record))
        return role.id

    def emoji(self, name: str) -> str:
        """An emoji of the guild's own, as reactions name it: "name:id"."""
        number = self.state.ids()
        self.record.emojis[number] = name
        self.tell("GUILD_UPDATE", guild_dict(self.record))
        return f"{name}:{number}"

    # --- the bot

    def add_bot(self, *, administrator: bool = False) -> None:
        """Invites the bot, or changes whether it is administrator."""
        bot = self.state.bot
        mine = next((role for role in self.record.roles.values() if role.bot_id == bot.id), None)
        if mine is None:
            mine = Role(self.state.ids(), bot.username, bot_id=bot.id)
            self.record.roles[mine.id] = mine
        mine.members.add(bot.id)
        mine.permissions = bits("administrator") if administrator else 0
        if bot.id in self.record.members:
            self.tell("GUILD_UPDATE", guild_dict(self.record))
            return
        self.record.members[bot.id] = self.state.now()
        self.state.tell("GUILD_CREATE", "guilds", None, lambda intents: guild_create(self.state, self.record, intents))

    def kick_bot(self) -> None:
        """Puts the bot out."""
        bot = self.state.bot.id
        self.tell("GUILD_DELETE", {"id": str(self.id), "unavailable": False})
        self.record.members.pop(bot, None)
        for role in [role for role in self.record.roles.values() if role.bot_id == bot]:
            del self.record.roles[role.id]
        self.state.changed()

    def tell(self, name: str, payload: dict[str, Any], topic: str = "guilds") -> None:
        """Tells the bot of something in the guild, if it is a member."""
        if self.state.bot.id in self.record.members:
            self.state.tell(name, topic, None, lambda _: payload)

    def _here(self) -> dict[str, str]:
        return {"guild_id": str(self.id)}
