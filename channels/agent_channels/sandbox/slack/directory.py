"""The people and channels of a fake Slack, found by handle, name or id."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.interactions import AppInteractions
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.records import CHANNEL, PRIVATE, Conversation, new_id

__all__ = ["SlackDirectory"]


class SlackDirectory:
    """All people by handle and all channels by id."""

    def __init__(self, interactions: AppInteractions) -> None:
        self.interactions = interactions
        self.state = interactions.state
        self.people: dict[str, SlackPerson] = {}

    def person(self, handle: str, real_name: str | None = None) -> SlackPerson:
        """Return the person of this username, creating them on first use."""
        if handle not in self.people:
            user = self.state.add_user(handle, real_name or handle.title())
            self.people[handle] = SlackPerson(self.interactions, user, handle)
        return self.people[handle]

    def channel(
        self, name: str, *, members: Sequence[SlackPerson] = (), bot: bool = True, private: bool = False
    ) -> SlackChannel:
        """Return the channel of this name, creating it on first use, with the bot in it unless `bot` is False."""
        if (known := self.find_channel(name)) is not None:
            return known
        kind = PRIVATE if private else CHANNEL
        ids = [person.id for person in members]
        creator = ids[0] if ids else self.person("owner").id
        record = Conversation(new_id("C"), kind, name, self.state.now(), creator, ids)
        if bot:
            record.members.append(self.state.bot.id)
        self.state.add_conversation(record)
        return SlackChannel(self.state, record)

    def channels(self) -> list[SlackChannel]:
        """Return every public and private channel."""
        records = self.state.conversations.values()
        return [SlackChannel(self.state, one) for one in records if one.kind in {CHANNEL, PRIVATE}]

    def find_person(self, name: str) -> SlackPerson | None:
        """Return the person with this handle, id, or direct chat id."""
        people = self.people.values()
        return next((one for one in people if name in {one.handle, one.id, one.dm.id}), None)

    def find_channel(self, name: str) -> SlackChannel | None:
        """Return the channel with this name or id."""
        return next((one for one in self.channels() if name.removeprefix("#") in {one.name, one.id}), None)
