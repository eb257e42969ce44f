"""People in front of their phones: what they send, tap, edit and react with, and what they see."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S
from agent_channels.sandbox.telegram.entities import detect
from agent_channels.sandbox.telegram.phone import TelegramPhone
from agent_channels.sandbox.telegram.records import CallbackQuery, Message, TelegramChat, member_dict
from agent_channels.sandbox.telegram.state import TelegramState

if TYPE_CHECKING:
    from agent_channels.sandbox.telegram.groups import TelegramGroup

__all__ = ["ButtonTap", "CallbackAnswer", "TelegramPerson", "next_bot_message"]


@dataclass(frozen=True)
class CallbackAnswer:
    """What the bot said to a tap."""

    text: str
    show_alert: bool


@dataclass(frozen=True)
class ButtonTap:
    """A tap on a button, under way to the bot."""

    state: TelegramState
    query: CallbackQuery

    @property
    def id(self) -> str:
        """The callback query's id."""
        return self.query.id

    @property
    def answer(self) -> CallbackAnswer | None:
        """The bot's answer, None while the button still spins."""
        if self.query.answer is None:
            return None
        return CallbackAnswer(self.query.answer["text"], self.query.answer["show_alert"])

    async def answered(self, timeout: float = DEFAULT_TIMEOUT_S) -> CallbackAnswer:
        """Waits for the bot's answerCallbackQuery. Raises TimeoutError."""
        return await self.state.wait_for(lambda: self.answer, timeout)


async def next_bot_message(state: TelegramState, chat: TelegramChat, timeout: float) -> Message:
    """The next message of the bot in a chat that nobody waited for yet, as it looks now. Raises TimeoutError."""

    def unread() -> Message | None:
        while chat.read < len(chat.bot_log):
            message = chat.messages.get(chat.bot_log[chat.read])
            chat.read += 1
            if message is not None:
                return copy.deepcopy(message)
        return None

    return await state.wait_for(unread, timeout)


class TelegramPerson(TelegramPhone):
    """Somebody with a phone: what they do with messages and what they see. `send` and its kin are in Phone."""

    # --- what happens to messages

    def edit(self, message_id: int, text: str, *, chat: TelegramGroup | None = None) -> Message:
        """New text for a message of one's own, or a new caption if it is a file."""
        place = self._chat(chat)
        message = self._own(place, message_id)
        name, entities = ("text", "entities") if "text" in message else ("caption", "caption_entities")
        message[name] = text
        message.pop(entities, None)
        if found := detect(text):
            message[entities] = found
        self.state.edited(place, message)
        return copy.deepcopy(message)

    def delete(self, message_id: int, *, chat: TelegramGroup | None = None) -> None:
        """Deletes a message; bots never hear of that."""
        place = self._chat(chat)
        self._seen(place, message_id)
        del place.messages[message_id]
        self.state.changed()

    def react(self, message_id: int, emoji: str | None, *, chat: TelegramGroup | None = None) -> None:
        """Sets one's reaction, None takes it back. In groups the bot hears of it only as administrator."""
        place = self._chat(chat)
        self._seen(place, message_id)
        by_user = place.reactions.setdefault(message_id, {})
        old = by_user.pop(self.id, [])
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        if new:
            by_user[self.id] = new
        if place.members.get(self.state.bot.id) == "administrator" if place.is_group else not place.blocked:
            update = {"chat": place.as_dict(), "message_id": message_id, "user": self.user.as_dict()}
            update |= {"date": int(self.state.now()), "old_reaction": old, "new_reaction": new}
            self.state.updates.add("message_reaction", update)
        self.state.changed()

    def tap(
        self,
        message_id: int,
        row: int = 0,
        col: int = 0,
        *,
        label: str | None = None,
        data: str | None = None,
        chat: TelegramGroup | None = None,
    ) -> ButtonTap:
        """Taps a button by place or label; `data` forges the callback data instead. Raises LookupError: no button."""
        place = self._chat(chat)
        message = self._seen(place, message_id)
        if data is None:
            data = _button_data(message, row, col, label)
        query = CallbackQuery(str(secrets.randbits(62)), self.state.now(), place.id, message_id, data)
        self.state.queries[query.id] = query
        instance = str(abs(place.id) * 7919)
        update = {"id": query.id, "from": self.user.as_dict(), "message": copy.deepcopy(message)}
        self.state.updates.add("callback_query", {**update, "chat_instance": instance, "data": data})
        self.state.changed()
        return ButtonTap(self.state, query)

    def vote(self, message_id: int, *choices: int, chat: TelegramGroup | None = None) -> None:
        """Votes in a poll; no choice takes the vote back."""
        place = self._chat(chat)
        poll = self._seen(place, message_id).get("poll")
        if poll is None or poll["is_closed"]:
            raise LookupError(f"message {message_id} is no open poll")
        for choice in choices:
            poll["options"][choice]["voter_count"] += 1
        poll["total_voter_count"] += 1
        if not poll["is_anonymous"]:
            answer = {"poll_id": poll["id"], "user": self.user.as_dict(), "option_ids": list(choices)}
            persistent = [poll["options"][choice]["persistent_id"] for choice in choices]
            self.state.updates.add("poll_answer", {**answer, "option_persistent_ids": persistent})
        if self._seen(place, message_id)["from"]["is_bot"]:
            self.state.updates.add("poll", copy.deepcopy(poll))
        self.state.changed()

    def block(self) -> None:
        """Blocks the bot."""
        self._set_blocked(blocked=True)

    def unblock(self) -> None:
        """Unblocks the bot."""
        self._set_blocked(blocked=False)

    def deactivate(self) -> None:
        """Deletes the account."""
        self.user.is_deactivated = True
        self.state.changed()

    # --- seeing

    def messages(self) -> list[Message]:
        """The private chat as it looks now, oldest first."""
        return self.dm.shown()

    @property
    def inbox(self) -> list[Message]:
        """The bot's messages in the private chat as they look now."""
        return [message for message in self.dm.shown() if message["from"]["id"] == self.state.bot.id]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """The bot's next message in the private chat that nobody waited for yet. Raises TimeoutError."""
        return await next_bot_message(self.state, self.dm, timeout)

    def _own(self, place: TelegramChat, message_id: int) -> Message:
        message = self._seen(place, message_id)
        if message["from"]["id"] != self.id:
            raise ValueError(f"message {message_id} is not {self.handle}'s to edit")
        return message

    def _set_blocked(self, *, blocked: bool) -> None:
        if self.dm.blocked == blocked:
            return
        bot = self.state.bot
        statuses = [member_dict(bot, "member"), member_dict(bot, "kicked")]
        old, new = statuses if blocked else statuses[::-1]
        self.dm.blocked = blocked
        change = {"chat": self.dm.as_dict(), "from": self.user.as_dict(), "date": int(self.state.now())}
        members = {"old_chat_member": old, "new_chat_member": new}
        self.state.updates.add("my_chat_member", {**change, **members})
        self.state.changed()


def _button_data(message: Message, row: int, col: int, label: str | None) -> str:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    if label is not None:
        found = [button for line in rows for button in line if button["text"] == label]
    else:
        found = [rows[row][col]] if 0 <= row < len(rows) and 0 <= col < len(rows[row]) else []
    if not found:
        labels = [[button["text"] for button in line] for line in rows]
        wanted = f"labelled {label!r}" if label is not None else f"in row {row}, column {col}"
        raise LookupError(f"message {message['message_id']} has no button {wanted}; its buttons: {labels}")
    if "callback_data" not in found[0]:
        raise LookupError(f"button {found[0]['text']!r} sends nothing to the bot: it is {sorted(found[0])}")
    return str(found[0]["callback_data"])
