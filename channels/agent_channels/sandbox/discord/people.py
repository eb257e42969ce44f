"""People: what they send, tap, edit and react with, and what they see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from agent_channels.sandbox.discord.components import BUTTON, SELECT, tappable_button, usable_menu
from agent_channels.sandbox.discord.interactions import COMMAND, COMPONENT, InteractionApi
from agent_channels.sandbox.discord.message_form import CONTENT_LIMIT, AllowedMentions
from agent_channels.sandbox.discord.message_routes import message_reference
from agent_channels.sandbox.discord.records import FORUM, DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.state import IS_VOICE, REPLY
from agent_channels.sandbox.discord.taps import ComponentTap
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

__all__ = ["DiscordPerson", "HasRecord", "MessageOrId", "message_id_of"]

MessageOrId: TypeAlias = Message | int | str
# A file to send: (name, bytes), or bytes alone.
FileToSend: TypeAlias = tuple[str, bytes] | bytes

# "Message Flags"
HAS_SNAPSHOT = 1 << 14


class HasRecord(Protocol):
    """Anything with a channel record: a DiscordChannel."""

    @property
    def record(self) -> GuildChannel:
        """The record."""


def message_id_of(message: MessageOrId) -> int:
    """Return the id of a message."""
    return int(message["id"] if isinstance(message, dict) else message)


class DiscordPerson:
    """A person. Every method acts at once; the ones that send return the message as the bot receives it.

    `channel` is a channel of a guild, None the direct chat with the bot. A message is found by its id in any channel.
    All methods raise LookupError or ValueError with the reason when Discord would not allow the action.
    """

    def __init__(self, interactions: InteractionApi, user: DiscordUser, handle: str) -> None:
        self.interactions = interactions
        self.state = interactions.state
        self.user = user
        self.handle = handle

    @property
    def id(self) -> int:
        """The user id."""
        return self.user.id

    @property
    def dm(self) -> GuildChannel:
        """The direct chat with the bot; its id is not the user's."""
        return self.state.direct(self.user)

    # --- sending

    def send(
        self,
        text: str = "",
        *,
        channel: HasRecord | None = None,
        reply_to: MessageOrId | None = None,
        ping: bool = True,
        attachments: Sequence[FileToSend] = (),
    ) -> Message:
        """Send text, files, or both. `ping`: a reply mentions the author it answers."""
        record = self._channel(channel)
        if len(text) > CONTENT_LIMIT:
            raise ValueError(f"a message has at most {CONTENT_LIMIT} characters, not {len(text)}")
        if record.kind == FORUM:
            raise ValueError(f"{record.name!r} is a forum: use its post(title, text)")
        if not text.strip() and not attachments:
            raise ValueError("a message needs text or a file")
        fields: Message = {"content": text.strip()}
        author = 0
        if reply_to is not None:
            replied = self._find(reply_to)[1]
            fields |= {"type": REPLY, "message_reference": message_reference(record, replied)}
            author = int(replied["author"]["id"]) if ping else 0
        fields["attachments"] = [self._store(record, file) for file in attachments]
        fields |= AllowedMentions(None).fields(self.state, record, self.id, text, author)
        return self._post(record, fields)

    def forward(self, message: MessageOrId, *, channel: HasRecord | None = None) -> Message:
        """Forward a message: send one without text, with a snapshot of the other."""
        source, original = self._find(message)
        record = self._channel(channel)
        rendered = self.state.render(source, original)
        kept = ("type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags", "mentions")
        snapshot = {name: rendered[name] for name in (*kept, "mention_roles", "components")}
        reference = {**message_reference(source, original), "type": 1}
        fields: Message = {"flags": HAS_SNAPSHOT, "message_reference": reference}
        fields["message_snapshots"] = [{"message": snapshot}]
        return self._post(record, fields)

    def send_sticker(self, name: str = "Wave", *, channel: HasRecord | None = None) -> Message:
        """Send a sticker, which has no text."""
        record = self._channel(channel)
        return self._post(record, {"sticker_items": [{"id": str(self.state.ids()), "name": name, "format_type": 1}]})

    def send_voice(
        self, data: bytes = b"OggS", *, channel: HasRecord | None = None, reply_to: MessageOrId | None = None
    ) -> Message:
        """Send a voice message, which has no text."""
        record = self._channel(channel)
        file = self._store(record, ("voice-message.ogg", data))
        return self.send_content({"attachments": [file], "flags": IS_VOICE}, channel=channel, reply_to=reply_to)

    def send_content(
        self, fields: Message, *, channel: HasRecord | None = None, reply_to: MessageOrId | None = None
    ) -> Message:
        """Send what no other method sends, given as a message's fields: embeds and components of a program, a poll."""
        record, body = self._channel(channel), dict(fields)
        if reply_to is not None:
            body |= {"type": REPLY, "message_reference": message_reference(record, self._find(reply_to)[1])}
        return self._post(record, body)

    def typing(self, channel: HasRecord | None = None) -> None:
        """Start typing."""
        self.state.start_typing(self._channel(channel), self.user)

    # --- acting on messages

    def edit(self, message: MessageOrId, text: str) -> Message:
        """Replace the text of the person's own message."""
        record, found = self._find(message)
        if found["author"]["id"] != str(self.id):
            raise ValueError(f"message {found['id']} is not {self.handle}'s to edit")
        mentions = AllowedMentions(None).fields(self.state, record, self.id, text)
        self.state.edit(record, found, {"content": text, **mentions})
        return self.state.render(record, found, gateway=True)

    def delete(self, message: MessageOrId) -> None:
        """Delete the person's own message, with the permission any message, or dismiss an ephemeral one."""
        record, found = self._find(message)
        if self.state.ephemerals.pop(int(found["id"]), None) is not None:
            self.state.changed()
            return
        may_manage = record.guild is not None and record.can(self.id, "manage_messages")
        if found["author"]["id"] != str(self.id) and not may_manage:
            raise ValueError(f"message {found['id']} is not {self.handle}'s to delete")
        self.state.delete(record, int(found["id"]))

    def react(self, message: MessageOrId, emoji: str) -> None:
        """Add a reaction: an emoji, or "name:id" of a guild's own."""
        record, found = self._find(message)
        self.state.react(record, int(found["id"]), self.user, emoji)

    def unreact(self, message: MessageOrId, emoji: str) -> None:
        """Remove a reaction."""
        record, found = self._find(message)
        self.state.unreact(record, int(found["id"]), self.user, emoji)

    # --- components and commands

    def tap(
        self,
        message: MessageOrId,
        row: int = 0,
        col: int = 0,
        *,
        label: str | None = None,
        custom_id: str | None = None,
    ) -> ComponentTap:
        """Tap a button by row and column, label or custom_id; a custom_id that no button has is sent all the same."""
        record, found = self._find(message)
        button = tappable_button(found, row, col, label, custom_id)
        data = {"component_type": BUTTON, "custom_id": button["custom_id"], "id": button["id"]}
        return self._interact(COMPONENT, record, found, data)

    def select(self, message: MessageOrId, values: Sequence[str], *, custom_id: str | None = None) -> ComponentTap:
        """Choose values or labels in a menu: the one with this custom_id, or the first that has them all."""
        record, found = self._find(message)
        menu, chosen = usable_menu(found, values, custom_id)
        data = {"component_type": SELECT, "custom_id": menu["custom_id"], "id": menu["id"], "values": chosen}
        return self._interact(COMPONENT, record, found, data)

    def command(self, name: str, *, channel: HasRecord | None = None, **options: str) -> ComponentTap:
        """Choose one of the bot's registered commands, with its options by name."""
        record = self._channel(channel)
        return self._interact(COMMAND, record, None, self.interactions.commands.choose(name, options, record))

    def submit(self, tap: ComponentTap, **values: str | list[str]) -> ComponentTap:
        """Fill in the modal that a tap opened, by custom_id, and submit it."""
        return tap.submit(**values)

    # --- the account

    def block(self) -> None:
        """Block the bot, or close direct messages: the bot can no longer write."""
        self.dm.blocked = True
        self.state.changed()

    def unblock(self) -> None:
        """Let the bot write again."""
        self.dm.blocked = False
        self.state.changed()

    # --- seeing

    def messages(self) -> list[Message]:
        """Return the direct chat as it looks now, oldest first, without ephemeral messages."""
        return self.state.current_messages(self.dm)

    @property
    def inbox(self) -> list[Message]:
        """The bot's messages in the direct chat as they look now."""
        return [message for message in self.messages() if message["author"]["id"] == str(self.state.bot.id)]

    @property
    def ephemerals(self) -> list[Message]:
        """The ephemeral messages for this person in any channel."""
        own = [ephemeral for ephemeral in self.state.ephemerals.values() if ephemeral.user_id == self.id]
        return [self.state.render(ephemeral.channel, ephemeral.message) for ephemeral in own]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the bot's next message in the direct chat, each message once. Raises TimeoutError."""
        return self.state.render(self.dm, await self.state.next_bot_message(self.dm, timeout))

    # --- inside

    def _channel(self, channel: HasRecord | None) -> GuildChannel:
        if channel is None:
            if self.dm.blocked:
                raise ValueError(f"{self.handle} has blocked the bot: unblock() first")
            self.dm.started = True
            return self.dm
        record = channel.record
        if record.id not in self.state.channels:
            raise LookupError(f"{record.name!r} is deleted")
        self._check_member(record)
        if record.locked:
            raise ValueError(f"{record.name!r} is locked")
        return record

    def _check_member(self, record: GuildChannel) -> None:
        if record.guild is not None and self.id not in record.guild.members:
            raise LookupError(f"{self.handle} is not in {record.guild.name!r}: add them with guild.add(person)")

    def _find(self, message: MessageOrId) -> tuple[GuildChannel, Message]:
        message_id = message_id_of(message)
        record, found = self.state.find(message_id)
        self._check_member(record)
        ephemeral = self.state.ephemerals.get(message_id)
        other_direct = record.recipient is not None and record.recipient is not self.user
        if other_direct or (ephemeral and ephemeral.user_id != self.id):
            raise LookupError(f"message {message_id} is not for {self.handle} to see")
        return record, found

    def _store(self, record: GuildChannel, file: FileToSend) -> str:
        name, data = file if isinstance(file, tuple) else ("notes.txt", file)
        return str(self.state.files.add(record.id, name, data).id)

    def _post(self, record: GuildChannel, fields: Message) -> Message:
        return self.state.render(record, self.state.post(record, self.user, fields), gateway=True)

    def _interact(self, kind: int, record: GuildChannel, message: Message | None, data: dict[str, Any]) -> ComponentTap:
        return ComponentTap(self.interactions, self.interactions.start(kind, self.user, record, message, data))
