"""Groups as their owner runs them: members, topics, adding and removing the bot, the upgrade to a supergroup."""

from __future__ import annotations

import copy
from typing import Any

from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.records import Message, TelegramChat, member_object
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.topics import Topic

__all__ = ["TelegramGroup"]


class TelegramGroup:
    """A group, supergroup or channel. `owner` created it and does whatever is done to it."""

    def __init__(self, state: TelegramState, chat: TelegramChat, owner: TelegramPerson) -> None:
        self.state = state
        self.chat = chat
        self.owner = owner
        chat.members[owner.id] = "creator"

    @property
    def id(self) -> int:
        """The chat id."""
        return self.chat.id

    def add(self, person: TelegramPerson) -> None:
        """Add a person."""
        if self.chat.members.get(person.id) in {"member", "creator", "administrator"}:
            return
        self.chat.members[person.id] = "member"
        if self.chat.kind == "channel":
            return
        self._post_service({"new_chat_members": [person.user.as_dict()]})

    def remove(self, person: TelegramPerson) -> None:
        """Remove a person."""
        self.chat.members[person.id] = "left"
        self._post_service({"left_chat_member": person.user.as_dict()})

    def add_bot(self, *, administrator: bool = False) -> None:
        """Add the bot, or change whether it is an administrator."""
        known = self.chat.members.get(self.state.bot.id)
        self._set_bot_status("administrator" if administrator else "member")
        if known not in {"member", "administrator"} and self.chat.kind != "channel":
            self._post_service({"new_chat_members": [self.state.bot.as_dict()]})

    def kick_bot(self) -> None:
        """Ban the bot."""
        self._set_bot_status("kicked")

    def topic(self, name: str) -> Topic:
        """Open a topic. Raises ValueError in a group without topics."""
        if not self.chat.is_forum:
            raise ValueError(f"{self.chat.title!r} has no topics: make it with forum=True")
        owner = self.owner.user
        return Topic(self.state, self.chat, owner, self.state.open_topic(self.chat, owner, name))

    def migrate(self) -> TelegramGroup:
        """Upgrade a basic group: return the supergroup with the same members; the old id is refused from now on."""
        if self.chat.kind != "group":
            raise ValueError(f"{self.chat.title!r} is a supergroup already")
        chat = self.state.add_group(self.chat.title, "supergroup")
        new = TelegramGroup(self.state, chat, self.owner)
        chat.members.update(self.chat.members)
        self._post_service({"migrate_to_chat_id": chat.id})
        self.chat.migrated_to = chat.id
        self.state.post(chat, self.owner.user, {"migrate_from_chat_id": self.chat.id})
        return new

    def messages(self) -> list[Message]:
        """Return the chat as it looks now, oldest first."""
        return self.chat.current_messages()

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the bot's next message here, each message once. Raises TimeoutError."""
        return copy.deepcopy(await self.state.next_bot_message(self.chat, timeout))

    def _post_service(self, fields: dict[str, Any]) -> None:
        self.state.post(self.chat, self.owner.user, fields)

    def _set_bot_status(self, status: str) -> None:
        old = self.chat.members.get(self.state.bot.id, "left")
        if old == status:
            return
        self.chat.members[self.state.bot.id] = status
        change = {"chat": self.chat.as_dict(), "from": self.owner.user.as_dict(), "date": int(self.state.now())}
        bot = self.state.bot
        change |= {"old_chat_member": member_object(bot, old), "new_chat_member": member_object(bot, status)}
        self.state.updates.add("my_chat_member", change)
        self.state.changed()
