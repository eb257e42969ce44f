"""Guilds as their owner runs them: members, channels, threads, forums, permissions, adding and removing the bot."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.api_objects import channel_object, guild_object, member_object
from agent_channels.sandbox.discord.channel_routes import open_thread
from agent_channels.sandbox.discord.people import DiscordPerson, MessageOrId, message_id_of
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
    permission_bits,
)
from agent_channels.sandbox.discord.sessions import guild_create
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

__all__ = ["DiscordChannel", "DiscordGuild"]


class DiscordChannel:
    """A channel, forum or thread of a guild; `record` holds its state."""

    def __init__(self, guild: DiscordGuild, record: GuildChannel) -> None:
        self.guild = guild
        self.state = guild.state
        self.record = record

    @property
    def id(self) -> int:
        """The channel id."""
        return self.record.id

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.record.name

    def messages(self) -> list[Message]:
        """Return the channel as it looks now, oldest first."""
        return self.state.current_messages(self.record)

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the bot's next message here, each message once. Raises TimeoutError."""
        return self.state.render(self.record, await self.state.next_bot_message(self.record, timeout))

    # --- threads

    def thread(
        self,
        name: str,
        *,
        by: DiscordPerson | None = None,
        message: MessageOrId | None = None,
        private: bool = False,
    ) -> DiscordChannel:
        """Start a thread, from a message if one is given; `by` is the guild's owner unless a person is given."""
        if self.record.kind not in {TEXT, NEWS}:
            raise ValueError(f"{self.name!r} has no threads of this kind; a forum has post(title, text)")
        source = self.record.messages[message_id_of(message)] if message is not None else None
        owner = (by or self.guild.owner).user
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        return DiscordChannel(self.guild, open_thread(self.state, self.record, name, owner, kind=kind, message=source))

    def post(self, title: str, text: str, *, by: DiscordPerson | None = None) -> DiscordChannel:
        """Post in a forum: start a thread whose first message has its id."""
        if self.record.kind != FORUM:
            raise ValueError(f"{self.name!r} is not a forum: make it with guild.forum(name)")
        person = by or self.guild.owner
        now = self.state.now()
        thread = GuildChannel(
            self.state.ids(), PUBLIC_THREAD, title, now, self.record.guild, self.record, owner_id=person.id
        )
        self.state.post(thread, person.user, {"content": text})
        return DiscordChannel(self.guild, thread)

    def archive(self, *, locked: bool = False) -> None:
        """Archive a thread; only a user with the permission can reopen a locked one."""
        self.record.archived, self.record.locked = True, locked
        self.state.thread_changed(self.record)

    # --- permissions

    def deny(self, *permissions: str) -> None:
        """Take permissions such as "view_channel" or "send_messages" from the bot here."""
        self._overwrite(0, permission_bits(*permissions))

    def allow(self, *permissions: str) -> None:
        """Give the bot permissions here."""
        self._overwrite(permission_bits(*permissions), 0)

    def _overwrite(self, allow: int, deny: int) -> None:
        bot = self.state.bot.id
        _, allowed, denied = self.record.overwrites.get(bot, (1, 0, 0))
        saw = self.record.sees(bot)
        self.record.overwrites[bot] = (1, (allowed | allow) & ~deny, (denied | deny) & ~allow)
        if saw and not self.record.sees(bot):
            self.guild.dispatch("CHANNEL_DELETE", channel_object(self.record, bot))
        else:
            name = "CHANNEL_UPDATE" if saw else "CHANNEL_CREATE"
            self.state.dispatch(name, "guilds", self.record, lambda _: channel_object(self.record, bot))

    def delete(self) -> None:
        """Delete the channel with everything in it."""
        bot = self.state.bot.id
        kind = "THREAD_DELETE" if self.record.is_thread else "CHANNEL_DELETE"
        self.state.dispatch(kind, "guilds", self.record, lambda _: channel_object(self.record, bot))
        for channel in list(self.state.channels.values()):
            if self.record in (channel, channel.parent):
                del self.state.channels[channel.id]
        self.guild.record.channels.pop(self.id, None)
        self.state.changed()


class DiscordGuild:
    """A guild. `owner` created it and does whatever is done to it; `record` holds its state."""

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
        """The guild's name."""
        return self.record.name

    # --- channels

    def channel(self, name: str, *, news: bool = False, topic: str | None = None) -> DiscordChannel:
        """Return the text channel of this name, creating it on first use."""
        return self._channel(name, NEWS if news else TEXT, topic)

    def forum(self, name: str) -> DiscordChannel:
        """Return the forum of this name, creating it on first use."""
        return self._channel(name, FORUM, None)

    def _channel(self, name: str, kind: int, topic: str | None) -> DiscordChannel:
        for known in self.record.channels.values():
            if known.name == name:
                return DiscordChannel(self, known)
        made = GuildChannel(self.state.ids(), kind, name, self.state.now(), self.record, topic=topic)
        self.state.add_channel(made)
        self.state.dispatch("CHANNEL_CREATE", "guilds", made, lambda _: channel_object(made, self.state.bot.id))
        return DiscordChannel(self, made)

    # --- members

    def add(self, person: DiscordPerson, nick: str | None = None) -> None:
        """Add a person, or change their nickname."""
        if nick is not None:
            self.record.nicks[person.id] = nick
        if person.id in self.record.members:
            return
        self.record.members[person.id] = self.state.now()
        member = {**member_object(self.record, person.user), "guild_id": str(self.id)}
        self.dispatch("GUILD_MEMBER_ADD", member, "members")

    def remove(self, person: DiscordPerson) -> None:
        """Remove a person."""
        self.record.members.pop(person.id, None)
        self.dispatch("GUILD_MEMBER_REMOVE", {"user": person.user.as_dict(), "guild_id": str(self.id)}, "members")

    def role(self, name: str, *members: DiscordPerson) -> int:
        """Add a role that can be mentioned; return its id."""
        role = Role(self.state.ids(), name, members={person.id for person in members})
        self.record.roles[role.id] = role
        self.dispatch("GUILD_UPDATE", guild_object(self.record))
        return role.id

    def emoji(self, name: str) -> str:
        """Add a custom emoji; return "name:id", which reactions use."""
        number = self.state.ids()
        self.record.emojis[number] = name
        self.dispatch("GUILD_UPDATE", guild_object(self.record))
        return f"{name}:{number}"

    # --- the bot

    def add_bot(self, *, administrator: bool = False) -> None:
        """Invite the bot, or change whether it is an administrator."""
        bot = self.state.bot
        role = next((role for role in self.record.roles.values() if role.bot_id == bot.id), None)
        if role is None:
            role = Role(self.state.ids(), bot.username, bot_id=bot.id)
            self.record.roles[role.id] = role
        role.members.add(bot.id)
        role.permissions = permission_bits("administrator") if administrator else 0
        if bot.id in self.record.members:
            self.dispatch("GUILD_UPDATE", guild_object(self.record))
            return
        self.record.members[bot.id] = self.state.now()
        self.state.dispatch(
            "GUILD_CREATE", "guilds", None, lambda intents: guild_create(self.state, self.record, intents)
        )

    def kick_bot(self) -> None:
        """Remove the bot."""
        bot = self.state.bot.id
        self.dispatch("GUILD_DELETE", {"id": str(self.id), "unavailable": False})
        self.record.members.pop(bot, None)
        for role in [role for role in self.record.roles.values() if role.bot_id == bot]:
            del self.record.roles[role.id]
        self.state.changed()

    def dispatch(self, name: str, payload: dict[str, Any], topic: str = "guilds") -> None:
        """Dispatch an event about the guild, if the bot is a member."""
        if self.state.bot.id in self.record.members:
            self.state.dispatch(name, topic, None, lambda _: payload)
