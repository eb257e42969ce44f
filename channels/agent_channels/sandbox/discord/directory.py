"""The people and guilds of a fake Discord, found by handle, name or id."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.sandbox.discord.guilds import DiscordChannel, DiscordGuild
from agent_channels.sandbox.discord.interactions import InteractionApi
from agent_channels.sandbox.discord.people import DiscordPerson

__all__ = ["DiscordDirectory"]


class DiscordDirectory:
    """All people by handle and all guilds by id."""

    def __init__(self, interactions: InteractionApi, beside: DiscordDirectory | None = None) -> None:
        """`beside`: that of another bot, whose people are the same ones."""
        self.interactions, self._beside = interactions, beside
        self.state = interactions.state
        self.people: dict[str, DiscordPerson] = {}
        self.guilds: dict[int, DiscordGuild] = {}

    def person(self, handle: str, global_name: str | None = None) -> DiscordPerson:
        """Return the person of this username, creating them on first use."""
        if handle not in self.people:
            known = None if self._beside is None else self._beside.person(handle, global_name).id
            user = self.state.add_user(handle, global_name or handle.title(), known)
            self.people[handle] = DiscordPerson(self.interactions, user, handle)
        return self.people[handle]

    def guild(
        self,
        name: str,
        *,
        members: Sequence[DiscordPerson] = (),
        bot: bool = True,
        administrator: bool = False,
        premium_tier: int = 0,
    ) -> DiscordGuild:
        """Return the guild of this name, creating it on first use, with the bot in it unless `bot` is False.

        Its owner is the first member, or else the person "owner".
        """
        for known in self.guilds.values():
            if known.name == name:
                return known
        guild = DiscordGuild(self.state, name, members[0] if members else self.person("owner"), premium_tier)
        self.guilds[guild.id] = guild
        for person in members[1:]:
            guild.add(person)
        if bot:
            guild.add_bot(administrator=administrator)
        return guild

    def channels(self, guild: DiscordGuild | None = None) -> list[DiscordChannel]:
        """Return the channels, forums and threads of a guild, or of all guilds."""
        records = [(record.guild, record) for record in self.state.channels.values()]
        found = [DiscordChannel(self.guilds[owner.id], record) for owner, record in records if owner is not None]
        return [channel for channel in found if guild is None or channel.guild is guild]

    def find_person(self, name: str) -> DiscordPerson | None:
        """Return the person with this handle, id, or direct chat id."""
        people = self.people.values()
        return next((one for one in people if name in {one.handle, str(one.id), str(one.dm.id)}), None)

    def find_channel(self, name: str) -> DiscordChannel | None:
        """Return the guild channel with this name or id."""
        return next((channel for channel in self.channels() if name in {channel.name, str(channel.id)}), None)
