"""Channels: who is in them, and what happens to them."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.records import CHANNEL, Conversation, Message, SlackUser, new_id, ts_key
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["SlackChannel"]


class SlackChannel:
    """A public or private channel."""

    def __init__(self, state: SlackState, record: Conversation) -> None:
        self.state = state
        self.record = record

    @property
    def id(self) -> str:
        """The channel's id."""
        return self.record.id

    @property
    def name(self) -> str:
        """The channel's name, without #."""
        return self.record.name

    def add(self, person: SlackPerson) -> None:
        """Let a person join."""
        self._join(person.user)

    def remove(self, person: SlackPerson) -> None:
        """Let a person leave."""
        if person.id in self.record.members:
            self._left(person.user)

    def add_bot(self) -> None:
        """Invite the bot."""
        self._join(self.state.bot)

    def remove_bot(self) -> None:
        """Remove the bot, which then gets no events from here."""
        if self.state.bot.id in self.record.members:
            self._happened("left", channel=self.id, actor_id=self.record.creator)
            self._left(self.state.bot)

    def archive(self) -> None:
        """Archive the channel: nobody can write there."""
        self.record.archived = True
        self._happened("archive", channel=self.id, user=self.record.creator)

    def unarchive(self) -> None:
        """Take the channel out of the archive."""
        self.record.archived = False
        self._happened("unarchive", channel=self.id, user=self.record.creator)

    def rename(self, name: str) -> None:
        """Rename the channel."""
        self.record.name = name
        self._happened("rename", channel={"id": self.id, "name": name, "created": int(self.record.created)})

    def delete(self) -> None:
        """Delete the channel with all that was said in it."""
        if self.state.conversations.pop(self.id, None) is not None:
            self._happened("deleted", channel=self.id)

    def post_as_bot(self, text: str, username: str = "CI", thread_ts: str = "") -> Message:
        """Let another integration write, whose messages have no user."""
        message: Message = {"type": "message", "subtype": "bot_message", "ts": self.state.ts(), "text": text}
        message |= {"bot_id": new_id("B"), "username": username, "app_id": new_id("A")}
        return self._put({**message, "thread_ts": thread_ts} if thread_ts else message)

    def messages(self) -> list[Message]:
        """Return the channel as people see it now, oldest first, replies in threads among the rest."""
        return self.state.current_messages(self.record)

    def _happened(self, what: str, **event: Any) -> None:
        name = f"{'channel' if self.record.kind == CHANNEL else 'group'}_{what}"
        self.state.dispatch(name, self.record, {"type": name, **event, "event_ts": self.state.ts()})

    def _join(self, user: SlackUser) -> None:
        if user.id in self.record.members:
            return
        self.record.members.append(user.id)
        kind = "C" if self.record.kind == CHANNEL else "G"
        event = {"type": "member_joined_channel", "user": user.id, "channel": self.id, "channel_type": kind}
        event |= {"team": self.state.team_id, "event_ts": self.state.ts()}
        self.state.dispatch("member_joined_channel", self.record, event)
        self._notice("channel_join", user, f"<@{user.id}> has joined the channel")

    def _left(self, user: SlackUser) -> None:
        self._notice("channel_leave", user, f"<@{user.id}> has left the channel")
        self.record.members.remove(user.id)
        kind = "C" if self.record.kind == CHANNEL else "G"
        event = {"type": "member_left_channel", "user": user.id, "channel": self.id, "channel_type": kind}
        event |= {"team": self.state.team_id, "event_ts": self.state.ts()}
        self.state.dispatch("member_left_channel", self.record, event)

    def _notice(self, subtype: str, user: SlackUser, text: str) -> None:
        self._put({"type": "message", "subtype": subtype, "ts": self.state.ts(), "user": user.id, "text": text})

    def _put(self, message: Message) -> Message:
        self.record.messages[ts_key(message["ts"])] = message
        self.state.announce(self.record, message)
        return self.state.render(message)
