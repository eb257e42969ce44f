"""People in front of their screens: what they send, tap, edit and react with, and what they see."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from agent_channels.sandbox.discord.interactions import COMMAND, COMPONENT, InteractionApi
from agent_channels.sandbox.discord.message_form import AllowedMentions
from agent_channels.sandbox.discord.message_routes import reference
from agent_channels.sandbox.discord.records import FORUM, DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.taps import ComponentTap, button_at, menu_at
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

if TYPE_CHECKING:
    from agent_channels.sandbox.discord.guilds import DiscordChannel

__all__ = ["Attached", "DiscordPerson", "Ident", "next_bot_message"]

# A message, or its id.
Ident: TypeAlias = Message | int | str
# A file to send: (name, bytes), or bytes alone.
Attached: TypeAlias = tuple[str, bytes] | bytes

TEXT_LIMIT = 2000
HAS_SNAPSHOT = 1 << 14


def number_of(message: Ident) -> int:
    """The id of a message."""
    return int(message["id"] if isinstance(message, dict) else message)


class DiscordPerson:
    """Somebody. Every verb acts at once and returns the message as the bot receives it.

    `channel` is a room of a guild, None means the direct chat with the bot. Messages are found by their id wherever
    they are. All verbs raise LookupError or ValueError with the reason when Discord would not allow them.
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
        channel: DiscordChannel | None = None,
        reply_to: Ident | None = None,
        ping: bool = True,
        attachments: Sequence[Attached] = (),
    ) -> Message:
        """Text, files, or both. `ping`: a reply mentions whom it answers."""
        place = self._place(channel)
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"a message has at most {TEXT_LIMIT} characters, not {len(text)}")
        if place.kind == FORUM:
            raise ValueError(f"{place.name!r} is a forum: use its post(title, text)")
        if not text.strip() and not attachments:
            raise ValueError("a message needs text or a file")
        fields: Message = {"content": text.strip()}
        author = 0
        if reply_to is not None:
            replied = self._seen(number_of(reply_to))[1]
            fields |= {"type": 19, "message_reference": reference(place, replied)}
            author = int(replied["author"]["id"]) if ping else 0
        fields["attachments"] = [self._stored(place, one) for one in attachments]
        fields |= AllowedMentions(None).fields(self.state, place, self.id, text, author)
        return self._shown(place, self.state.post(place, self.user, fields))

    def forward(self, message: Ident, *, channel: DiscordChannel | None = None) -> Message:
        """Forwards a message: a new one without text, with a snapshot of the other."""
        source, original = self._seen(number_of(message))
        place = self._place(channel)
        shown = render(self.state, source, original)
        kept = ("type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags", "mentions")
        snapshot = {name: shown[name] for name in (*kept, "mention_roles", "components")}
        fields: Message = {"flags": HAS_SNAPSHOT, "message_reference": {**reference(source, original), "type": 1}}
        fields["message_snapshots"] = [{"message": snapshot}]
        return self._shown(place, self.state.post(place, self.user, fields))

    def send_sticker(self, name: str = "Wave", *, channel: DiscordChannel | None = None) -> Message:
        """A sticker, which has no text."""
        place = self._place(channel)
        sticker = {"id": str(self.state.ids()), "name": name, "format_type": 1}
        return self._shown(place, self.state.post(place, self.user, {"sticker_items": [sticker]}))

    def typing(self, channel: DiscordChannel | None = None) -> None:
        """Is writing."""
        self.state.typed(self._place(channel), self.user)

    # --- what happens to messages

    def edit(self, message: Ident, text: str) -> Message:
        """New text for a message of one's own."""
        place, found = self._seen(number_of(message))
        if found["author"]["id"] != str(self.id):
            raise ValueError(f"message {found['id']} is not {self.handle}'s to edit")
        self.state.edit(
            place, found, {"content": text} | AllowedMentions(None).fields(self.state, place, self.id, text)
        )
        return self._shown(place, found)

    def delete(self, message: Ident) -> None:
        """Deletes a message of one's own, or dismisses an ephemeral one."""
        place, found = self._seen(number_of(message))
        if self.state.ephemerals.pop(int(found["id"]), None) is not None:
            self.state.changed()
            return
        if found["author"]["id"] != str(self.id) and (place.guild is None or not place.can(self.id, "manage_messages")):
            raise ValueError(f"message {found['id']} is not {self.handle}'s to delete")
        self.state.delete(place, int(found["id"]))

    def react(self, message: Ident, emoji: str) -> None:
        """Adds a reaction: an emoji, or "name:id" of a guild's own."""
        place, found = self._seen(number_of(message))
        self.state.react(place, int(found["id"]), self.user, emoji)

    def unreact(self, message: Ident, emoji: str) -> None:
        """Takes it back."""
        place, found = self._seen(number_of(message))
        self.state.unreact(place, int(found["id"]), self.user, emoji)

    # --- components

    def tap(
        self,
        message: Ident,
        row: int = 0,
        col: int = 0,
        *,
        label: str | None = None,
        custom_id: str | None = None,
    ) -> ComponentTap:
        """Taps a button by place, label or custom_id; a custom_id that is not there is sent all the same."""
        place, found = self._seen(number_of(message))
        button = button_at(found, row, col, label, custom_id)
        data = {"component_type": 2, "custom_id": button["custom_id"], "id": button["id"]}
        return ComponentTap(self.interactions, self.interactions.start(COMPONENT, self.user, place, found, data))

    def select(self, message: Ident, values: Sequence[str], *, custom_id: str | None = None) -> ComponentTap:
        """Chooses in a menu, by values or labels; the first menu that has them, if none is named."""
        place, found = self._seen(number_of(message))
        menu, chosen = menu_at(found, values, custom_id)
        data = {"component_type": 3, "custom_id": menu["custom_id"], "id": menu["id"], "values": chosen}
        return ComponentTap(self.interactions, self.interactions.start(COMPONENT, self.user, place, found, data))

    def command(self, name: str, *, channel: DiscordChannel | None = None, **options: str) -> ComponentTap:
        """Chooses one of the bot's registered commands, with its options by name."""
        place = self._place(channel)
        data = self.interactions.commands.chosen(name, options, place)
        return ComponentTap(self.interactions, self.interactions.start(COMMAND, self.user, place, None, data))

    def submit(self, tap: ComponentTap, **values: str | list[str]) -> ComponentTap:
        """Fills in the modal a tap opened, by custom_id, and sends it."""
        return tap.submit(**values)

    # --- the person

    def block(self) -> None:
        """Blocks the bot, or closes direct messages: the bot cannot write any more."""
        self.dm.blocked = True
        self.state.changed()

    def unblock(self) -> None:
        """Lets the bot write again."""
        self.dm.blocked = False
        self.state.changed()

    # --- seeing

    def messages(self) -> list[Message]:
        """The direct chat as it looks now, oldest first, without what is for one's own eyes only."""
        return [render(self.state, self.dm, one) for _, one in sorted(self.dm.messages.items())]

    @property
    def inbox(self) -> list[Message]:
        """The bot's messages in the direct chat as they look now."""
        return [one for one in self.messages() if one["author"]["id"] == str(self.state.bot.id)]

    @property
    def ephemerals(self) -> list[Message]:
        """What the bot told only this person, anywhere."""
        mine = [one for one in self.state.ephemerals.values() if one.user_id == self.id]
        return [render(self.state, one.channel, one.message) for one in mine]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """The bot's next message in the direct chat that nobody waited for yet. Raises TimeoutError."""
        return await next_bot_message(self, self.dm, timeout)

    # --- inside

    def _place(self, room: DiscordChannel | None) -> GuildChannel:
        if room is None:
            if self.dm.blocked:
                raise ValueError(f"{self.handle} has blocked the bot: unblock() first")
            self.dm.started = True
            return self.dm
        place = room.record
        if place.id not in self.state.channels:
            raise LookupError(f"{place.name!r} is deleted")
        if place.guild is not None and self.id not in place.guild.members:
            raise LookupError(f"{self.handle} is not in {place.guild.name!r}: add them with guild.add(person)")
        if place.locked:
            raise ValueError(f"{place.name!r} is locked")
        return place

    def _seen(self, message_id: int) -> tuple[GuildChannel, Message]:
        place, message = self.state.find(message_id)
        hidden = self.state.ephemerals.get(message_id)
        if place.guild is not None and self.id not in place.guild.members:
            raise LookupError(f"{self.handle} is not in {place.guild.name!r}: add them with guild.add(person)")
        if (place.recipient is not None and place.recipient is not self.user) or (hidden and hidden.user_id != self.id):
            raise LookupError(f"message {message_id} is not for {self.handle} to see")
        return place, message

    def _stored(self, place: GuildChannel, given: Attached) -> str:
        name, data = given if isinstance(given, tuple) else ("notes.txt", given)
        return str(self.state.files.store(place.id, name, data).id)

    def _shown(self, place: GuildChannel, message: Message) -> Message:
        return render(self.state, place, message, gateway=True)


async def next_bot_message(who: Any, channel: GuildChannel, timeout: float) -> Message:
    """The next message of the bot in a channel that nobody waited for yet, as it looks now. Raises TimeoutError."""

    def unread() -> Message | None:
        while channel.read < len(channel.bot_log):
            message = channel.messages.get(channel.bot_log[channel.read])
            channel.read += 1
            if message is not None:
                return copy.deepcopy(render(who.state, channel, message))
        return None

    found: Message = await who.state.wait_for(unread, timeout)
    return found
