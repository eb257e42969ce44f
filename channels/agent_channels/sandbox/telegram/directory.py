"""The people and groups of a fake Telegram, found by handle, title or id."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.records import ChatKind
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["TelegramDirectory"]


class TelegramDirectory:
    """All people by handle and all groups by id."""

    def __init__(self, state: TelegramState, beside: TelegramDirectory | None = None) -> None:
        """`beside`: that of another bot, whose people are the same ones."""
        self.state, self._beside = state, beside
        self.people: dict[str, TelegramPerson] = {}
        self.groups: dict[int, TelegramGroup] = {}

    def person(
        self,
        handle: str,
        first_name: str | None = None,
        *,
        last_name: str | None = None,
        language_code: str | None = "en",
        username: str | None = None,
    ) -> TelegramPerson:
        """Return the person of this handle, creating them on first use; `username` "" for a person without one."""
        if handle not in self.people:
            name = handle if username is None else username
            known = None if self._beside is None else self._beside.person(handle, first_name, username=username).id
            user = self.state.add_user(first_name or handle.title(), name, last_name or "", language_code or "", known)
            self.people[handle] = TelegramPerson(self.state, user, handle)
        return self.people[handle]

    def group(
        self,
        title: str,
        kind: ChatKind = "supergroup",
        *,
        forum: bool = False,
        members: Sequence[TelegramPerson] = (),
        bot: bool = True,
        administrator: bool = False,
    ) -> TelegramGroup:
        """Create a group or channel with the bot in it, unless `bot` is False; in a channel it is an administrator.

        Its owner is the first member, or else the person "owner". Raises ValueError for an unknown kind.
        """
        if kind not in {"group", "supergroup", "channel"} or (forum and kind != "supergroup"):
            raise ValueError("a group is kind 'group', 'supergroup' or 'channel'; only a supergroup can be a forum")
        owner = members[0] if members else self.person("owner")
        group = TelegramGroup(self.state, self.state.add_group(title, kind, forum=forum), owner)
        self.groups[group.id] = group
        for person in members[1:]:
            group.add(person)
        if bot:
            group.add_bot(administrator=administrator or kind == "channel")
        return group

    def find_person(self, name: str) -> TelegramPerson | None:
        """Return the person with this handle or id."""
        return next((person for person in self.people.values() if name in {person.handle, str(person.id)}), None)

    def find_group(self, name: str) -> TelegramGroup | None:
        """Return the group with this title or id, unless it was upgraded."""
        found = [group for group in self.groups.values() if name in {group.chat.title, str(group.id)}]
        return next((group for group in found if group.chat.migrated_to is None), None)
