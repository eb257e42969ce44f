"""People: what they send, tap, edit and react with, and what they see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S
from agent_channels.sandbox.slack.elements import label_of, tappable_button, usable_menu
from agent_channels.sandbox.slack.emoji import BY_CHARACTER, is_emoji_name
from agent_channels.sandbox.slack.interactions import AppInteractions
from agent_channels.sandbox.slack.mrkdwn import rich_text, typed
from agent_channels.sandbox.slack.records import CHANNEL, Conversation, Message, SlackUser, new_id
from agent_channels.sandbox.slack.taps import SlackTap

__all__ = ["HasConversation", "MessageOrTs", "SlackPerson", "ts_of"]

MessageOrTs: TypeAlias = Message | str
# A file to send: (name, bytes), or bytes alone.
FileToSend: TypeAlias = tuple[str, bytes] | bytes

# What an interaction says of the button that was tapped.
_TAPPED = ("type", "action_id", "block_id", "text", "value", "style")
# What a person can type into one message.
TYPED_LIMIT = 12_000


class HasConversation(Protocol):
    """Anything with a conversation's record: a SlackChannel."""

    @property
    def record(self) -> Conversation:
        """The record."""


def ts_of(message: MessageOrTs) -> str:
    """Return the timestamp of a message."""
    return str(message["ts"] if isinstance(message, dict) else message)


class SlackPerson:
    """A person. Every method acts at once; the ones that send return the message as the app receives it.

    `channel` is a channel, None the direct chat with the bot. A message is found by its timestamp in any conversation.
    All methods raise LookupError or ValueError with the reason when Slack would not allow the action.
    """

    def __init__(self, interactions: AppInteractions, user: SlackUser, handle: str) -> None:
        self.interactions = interactions
        self.state = interactions.state
        self.user = user
        self.handle = handle

    @property
    def id(self) -> str:
        """The user id."""
        return self.user.id

    @property
    def dm(self) -> Conversation:
        """The direct chat with the bot; its id is not the user's."""
        return self.state.direct(self.user)

    # --- sending

    def send(
        self,
        text: str = "",
        *,
        channel: HasConversation | None = None,
        thread: MessageOrTs | None = None,
        broadcast: bool = False,
        attachments: Sequence[FileToSend] = (),
    ) -> Message:
        """Send text, files, or both, in a thread if `thread` names its first message.

        `broadcast`: the reply is shown in the channel too.
        """
        record = self._channel(channel)
        if not text.strip() and not attachments:
            raise ValueError("a message needs text or a file")
        if text.startswith("/"):
            raise ValueError(f"Slack takes {text.split(maxsplit=1)[0]!r} for a command: use command()")
        fields = self._typed(text.strip())
        if attachments:
            return self._send_files(fields, [self._store(file) for file in attachments], record, thread)
        if thread is not None:
            fields |= self._in_thread(record, thread, broadcast=broadcast)
        return self._received(record, self.state.post(record, self.user, fields))

    def _send_files(
        self, fields: Message, files: list[str], record: Conversation, thread: MessageOrTs | None
    ) -> Message:
        fields |= self._in_thread(record, thread) if thread is not None else {}
        fields |= {"files": files, "upload": False, "display_as_bot": False, "subtype": "file_share"}
        message = self.state.post(record, self.user, fields)
        for file_id in files:
            file = self.state.files.by_id[file_id]
            self.state.files.share(file, record.id, public=record.kind == CHANNEL, ts=message["ts"])
            shared: dict[str, Any] = {
                "type": "file_shared",
                "channel_id": record.id,
                "file_id": file_id,
                "user_id": self.id,
            }
            shared |= {"file": {"id": file_id}, "event_ts": self.state.ts()}
            self.state.dispatch("file_shared", record, shared)
        return self._received(record, message)

    def send_voice(
        self, data: bytes = b"ftypM4A ", *, channel: HasConversation | None = None, thread: MessageOrTs | None = None
    ) -> Message:
        """Send a recorded audio clip, which has no text."""
        file_id = self._store(("audio_message.m4a", data))
        self.state.files.by_id[file_id].is_voice = True
        return self._send_files({"text": ""}, [file_id], self._channel(channel), thread)

    def forward(self, message: MessageOrTs, *, channel: HasConversation | None = None, text: str = "") -> Message:
        """Forward a message, with words of one's own or without: it comes as an attachment."""
        source, original = self._find(message)
        record = self._channel(channel)
        author = self.state.users.get(str(original.get("user")))
        link = f"https://{self.state.domain}.slack.com/archives/{source.id}/p{original['ts'].replace('.', '')}"
        name = author.real_name if author else str(original.get("username", ""))
        shared: dict[str, Any] = {
            "id": 1,
            "ts": original["ts"],
            "channel_id": source.id,
            "text": original["text"],
            "from_url": link,
        }
        shared |= {"author_name": name, "fallback": f"[no time] {name}: {original['text']}", "is_share": True}
        shared |= {"author_id": original.get("user", ""), "is_msg_unfurl": True, "mrkdwn_in": ["text"]}
        if blocks := original.get("blocks"):
            inner = {
                "team": self.state.team_id,
                "channel": source.id,
                "ts": original["ts"],
                "message": {"blocks": blocks},
            }
            shared["message_blocks"] = [inner]
        if files := original.get("files"):
            shared["files"] = [self.state.files.file_object(file_id) for file_id in files]
        return self._received(
            record, self.state.post(record, self.user, {**self._typed(text), "attachments": [shared]})
        )

    def send_me(self, text: str, *, channel: HasConversation | None = None) -> Message:
        """Send what follows /me."""
        record = self._channel(channel)
        return self._received(record, self.state.post(record, self.user, {"subtype": "me_message", "text": text}))

    def send_content(self, fields: Message, *, channel: HasConversation | None = None) -> Message:
        """Send what no other method sends, given as a message's fields: a shared message, a canvas, a huddle."""
        record = self._channel(channel)
        return self._received(record, self.state.post(record, self.user, dict(fields)))

    # --- acting on messages

    def edit(self, message: MessageOrTs, text: str) -> Message:
        """Replace the text of the person's own message."""
        record, found = self._find(message)
        if found.get("user") != self.id:
            raise ValueError(f"message {found['ts']} is not {self.handle}'s to edit")
        self.state.edit(record, found, self._typed(text), self.user)
        return self._received(record, found)

    def delete(self, message: MessageOrTs) -> None:
        """Delete the person's own message, or dismiss an ephemeral one."""
        record, found = self._find(message)
        for key, ephemeral in list(self.state.ephemerals.items()):
            if ephemeral.message is found:
                del self.state.ephemerals[key]
                self.state.changed()
                return
        if found.get("user") != self.id:
            raise ValueError(f"message {found['ts']} is not {self.handle}'s to delete")
        self.state.delete(record, found)

    def react(self, message: MessageOrTs, emoji: str) -> None:
        """Add a reaction: an emoji or its name."""
        record, found = self._find(message)
        self.state.react(record, found, self.user, self._emoji(emoji))

    def unreact(self, message: MessageOrTs, emoji: str) -> None:
        """Remove a reaction."""
        record, found = self._find(message)
        self.state.unreact(record, found, self.user, self._emoji(emoji))

    # --- blocks and commands

    def tap(
        self,
        message: MessageOrTs,
        row: int = 0,
        col: int = 0,
        *,
        label: str | None = None,
        action_id: str | None = None,
    ) -> SlackTap:
        """Tap a button by row and column, label or action_id; an action_id that no button has is sent all the same.

        A button that asks for confirmation is confirmed.
        """
        record, found = self._find(message)
        button = tappable_button(found, row, col, label, action_id)
        if "url" in button and not button.get("value"):
            raise ValueError(f"button {label_of(button)!r} opens {button['url']}")
        return self._act(record, found, {name: button[name] for name in _TAPPED if name in button})

    def tap_gone(self, message: MessageOrTs, button: dict[str, Any]) -> SlackTap:
        """Tap a button as the message had it earlier, which a client that was slow still shows."""
        return self._act(*self._find(message), {name: button[name] for name in _TAPPED if name in button})

    def select(self, message: MessageOrTs, value: str, *, action_id: str | None = None) -> SlackTap:
        """Choose a value or label in a menu: the one with this action_id, or the first that has it."""
        record, found = self._find(message)
        menu, option = usable_menu(found, value, action_id)
        action: dict[str, Any] = {"selected_option": option}
        kept = ("type", "action_id", "block_id", "placeholder")
        return self._act(record, found, action | {name: menu[name] for name in kept if name in menu})

    def command(self, name: str, text: str = "", *, channel: HasConversation | None = None) -> SlackTap:
        """Send one of the app's slash commands, with or without its slash; threads take none."""
        record = self._channel(channel)
        command = f"/{name.removeprefix('/')}"
        if self.state.app.commands.get(command):
            text = self._typed_text(text, full=True)
        made = self.interactions.command(self.user, record, command, text)
        return SlackTap(self.interactions, made)

    def submit(self, tap: SlackTap, **values: str | list[str]) -> SlackTap:
        """Fill in the modal that a tap opened, by action_id, and submit it."""
        return tap.submit(**values)

    @property
    def modal(self) -> dict[str, Any] | None:
        """The modal that the person sees."""
        return self.interactions.views.top(self.id)

    # --- the account

    def block(self) -> None:
        """Let a preference of the workspace keep the app from writing to the person."""
        self.dm.blocked = True
        self.state.changed()

    def unblock(self) -> None:
        """Let the app write again."""
        self.dm.blocked = False
        self.state.changed()

    # --- seeing

    def messages(self) -> list[Message]:
        """Return the direct chat as it looks now, oldest first, without ephemeral messages."""
        return self.state.current_messages(self.dm)

    @property
    def inbox(self) -> list[Message]:
        """The bot's messages in the direct chat as they look now."""
        return [message for message in self.messages() if message.get("user") == self.state.bot.id]

    @property
    def ephemerals(self) -> list[Message]:
        """The ephemeral messages for this person in any conversation."""
        own = [one for one in self.state.ephemerals.values() if one.user_id == self.id]
        return [{**self.state.render(one.message), "channel": one.conversation.id} for one in own]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the bot's next message in the direct chat, each message once. Raises TimeoutError."""
        return self.state.render(await self.state.next_bot_message(self.dm, timeout))

    # --- inside

    def _typed(self, text: str) -> Message:
        if len(text) > TYPED_LIMIT:
            raise ValueError(f"a message has at most {TYPED_LIMIT} characters, not {len(text)}")
        if not text:
            return {"text": ""}
        made = self._typed_text(text)
        fields: Message = {"text": made, "client_msg_id": str(uuid.uuid4())}
        return {**fields, "blocks": [rich_text(made, new_id("")[:5])]}

    def _typed_text(self, text: str, *, full: bool = False) -> str:
        """Return what the client sends for a text; `full`: mentions of people carry their names, as in commands."""
        users = {user.name: f"{user.id}|{user.name}" if full else user.id for user in self.state.users.values()}
        channels = {one.name: one.id for one in self.state.conversations.values() if one.kind == CHANNEL}
        return typed(text, users, channels)

    def _in_thread(self, record: Conversation, thread: MessageOrTs, *, broadcast: bool = False) -> Message:
        found = self._find(thread)[1]
        root = record.find(str(found.get("thread_ts", found["ts"])))
        if root is None:
            raise LookupError(f"no message {ts_of(thread)} in {record.name or 'the direct chat'}")
        made: Message = {"thread_ts": root["ts"]}
        if "user" in root:
            made["parent_user_id"] = root["user"]
        return {**made, "subtype": "thread_broadcast", "root": self.state.render(root)} if broadcast else made

    def _channel(self, channel: HasConversation | None) -> Conversation:
        if channel is None:
            if not self.state.app.messages_tab:
                raise ValueError("sending messages to this app has been turned off")
            return self.dm
        record = channel.record
        if record.id not in self.state.conversations:
            raise LookupError(f"{record.name!r} is deleted")
        self._check_member(record)
        if record.archived:
            raise ValueError(f"{record.name!r} is archived")
        return record

    def _check_member(self, record: Conversation) -> None:
        if self.id not in record.members:
            where = record.name or "that direct chat"
            raise LookupError(f"{self.handle} is not in {where!r}: add them with channel.add(person)")

    def _find(self, message: MessageOrTs) -> tuple[Conversation, Message]:
        record, found = self.state.find(ts_of(message))
        self._check_member(record)
        ephemeral = next((one for one in self.state.ephemerals.values() if one.message is found), None)
        if ephemeral is not None and ephemeral.user_id != self.id:
            raise LookupError(f"message {found['ts']} is not for {self.handle} to see")
        return record, found

    def _emoji(self, emoji: str) -> str:
        name = BY_CHARACTER.get(emoji, emoji.strip(":"))
        if not is_emoji_name(name, self.state.emoji):
            raise ValueError(f"no emoji {emoji!r}")
        return name

    def _store(self, file: FileToSend) -> str:
        name, data = file if isinstance(file, tuple) else ("notes.txt", file)
        return self.state.files.add(name, data, self.id).id

    def _received(self, record: Conversation, message: Message) -> Message:
        return {**self.state.render(message), "channel": record.id, "channel_type": record.event_type}

    def _act(self, record: Conversation, message: Message, action: dict[str, Any]) -> SlackTap:
        return SlackTap(self.interactions, self.interactions.act(self.user, record, message, action))
