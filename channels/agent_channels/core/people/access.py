"""The one gate: who may speak to the agent, and where the agent may speak.

Every handler goes through it, taps and commands too. Only ids decide; names are for reading. What is not explicitly
allowed is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Literal, cast, get_args

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.people.chats import Chats
from agent_channels.core.people.mention_patterns import checked
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Row, Store
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["Access", "Group", "Member", "Policy", "Verdict"]

Policy = Literal["pairing", "allowlist", "disabled"]
_POLICIES = get_args(Policy)


class Verdict(Enum):
    """What the gate says of an event: deliver it, offer its sender to pair, or ignore it without a word."""

    PASS = "pass"  # noqa: S105
    PAIR = "pair"
    SILENT = "silent"


@frozen
class Member:
    """A person who may write to the bot directly."""

    user_id: str
    name: str
    username: str | None


@frozen
class Group:
    """An enabled group. `senders` None: every member may speak. `patterns`: what else addresses the bot."""

    chat_id: str
    require_mention: bool
    senders: frozenset[str] | None
    title: str | None
    patterns: tuple[str, ...] = ()


class Access:
    """The tables people and groups, and the policy."""

    def __init__(self, store: Store, chats: Chats, key_values: KeyValue, audit: Audit) -> None:
        self.store, self._chats, self._key_values, self._audit = store, chats, key_values, audit

    # ---- the gate

    def decide(self, chat: Chat, sender: Person, *, addressed: bool) -> Verdict:
        """Return whether an event from `sender` in `chat` reaches the agent; `addressed`: it is meant for the bot."""
        if chat.kind == "direct":
            return self._decide_direct(sender)
        group = self.group_of(chat)
        if group is None:
            return Verdict.SILENT
        if group.senders is not None and sender.id not in group.senders:
            return Verdict.SILENT
        if sender.is_bot and (group.senders is None or sender.id not in group.senders):
            return Verdict.SILENT
        return Verdict.PASS if addressed or not group.require_mention else Verdict.SILENT

    def group_of(self, chat: Chat) -> Group | None:
        """Return the enabled group that a chat is, or belongs to."""
        return self.group(chat.id) or (self.group(chat.parent_id) if chat.parent_id else None)

    def _decide_direct(self, sender: Person) -> Verdict:
        # Asked of every message.
        row = self.store.memory.recall(
            ("gate", sender.id),
            lambda: self.store.row(
                "SELECT (SELECT value FROM key_values WHERE key = 'policy') AS policy, "
                "EXISTS (SELECT 1 FROM people WHERE user_id = ?) AS known",
                sender.id,
            ),
        )
        policy = _policy(row["policy"] if row else None)
        if policy == "disabled":
            return Verdict.SILENT
        if row and row["known"]:
            return Verdict.PASS
        return Verdict.PAIR if policy == "pairing" and not sender.is_bot else Verdict.SILENT

    def require_target(self, chat_id: str, channel: str) -> None:
        """Raise `Refused` unless the gate would deliver from a chat; the error names the command that allows it."""
        # Asked before everything that is sent.
        row = self.store.memory.recall(
            ("target", chat_id),
            lambda: self.store.row(
                "SELECT EXISTS (SELECT 1 FROM groups g WHERE g.chat_id IN (asked.id, c.parent_id)) AS enabled, "
                "EXISTS (SELECT 1 FROM people p WHERE p.user_id = "
                "CASE c.kind WHEN 'direct' THEN c.user_id ELSE asked.id END) AS known, "
                "(SELECT value FROM key_values WHERE key = 'policy') AS policy "
                "FROM (SELECT ? AS id) asked LEFT JOIN chats c ON c.chat_id = asked.id",
                chat_id,
            ),
        )
        if row is not None and row["enabled"]:
            return
        if row is None or not row["known"]:
            msg = (
                f"chat {chat_id!r} is not allowed; the operator can allow a person with "
                f"`channels access {channel} pair CODE` or `allow ID`, a group with `group add ID`"
            )
            raise Refused(msg)
        if _policy(row["policy"]) == "disabled":
            raise Refused(
                f"direct messages are disabled; the operator can change that: `channels access {channel} policy`"
            )

    def is_target(self, chat_id: str) -> bool:
        """Return whether the gate would deliver from a chat: one that was let in before may not be any more."""
        try:
            self.require_target(chat_id, "")
        except Refused:
            return False
        return True

    # ---- the policy

    def policy(self) -> Policy:
        """Return the rule for direct messages; `pairing` until the operator says otherwise."""
        return _policy(self._key_values.get("policy"))

    def set_policy(self, policy: Policy) -> None:
        """Change the rule for direct messages."""
        with self.store.changing():
            self._key_values.set("policy", policy)
            self._audit.add("policy", detail=policy)

    def has_policy(self) -> bool:
        """Return True if the operator chose a policy."""
        return self._key_values.get("policy") is not None

    # ---- people

    def member(self, user_id: str) -> Member | None:
        """Return the paired or allowed person with this id."""
        row = self.store.row("SELECT * FROM people WHERE user_id = ?", user_id)
        return None if row is None else _member(row)

    def members(self) -> list[Member]:
        """Return everybody who may write directly, oldest first."""
        return [_member(row) for row in self.store.rows("SELECT * FROM people ORDER BY added_at, user_id")]

    def member_ids(self) -> frozenset[str]:
        """Return the ids of the same, which is asked every few seconds where a hub shares the bot."""
        return frozenset(row["user_id"] for row in self.store.rows("SELECT user_id FROM people"))

    def allow(self, user_id: str, *, by: str, name: str = "", username: str | None = None) -> bool:
        """Let a person write directly; return False if they already could."""
        with self.store.changing() as db:
            added = db.execute(
                "INSERT INTO people (user_id, name, username, added_at, added_by) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (user_id, name, username, time.time(), by),
            ).rowcount
            if added:
                self._audit.add("allow", user_id, by)
            return bool(added)

    def remove(self, user_id: str) -> bool:
        """Take a person off every list; return False if they were on none."""
        with self.store.changing() as db:
            gone = db.execute("DELETE FROM people WHERE user_id = ?", (user_id,)).rowcount
            listed = 0
            for group in self.groups():
                if group.senders and user_id in group.senders:
                    self._set_group(group.chat_id, group.require_mention, group.senders - {user_id})
                    listed += 1
            if gone or listed:
                self._audit.add("remove", user_id)
            return bool(gone or listed)

    # ---- approvers: a list of their own, a subset of the paired

    def is_approver(self, user_id: str) -> bool:
        """Return True if this person may answer permission prompts."""
        return bool(self.store.value("SELECT approver FROM people WHERE user_id = ?", user_id))

    def approvers(self) -> list[Member]:
        """Return everybody who may answer permission prompts."""
        return [_member(row) for row in self.store.rows("SELECT * FROM people WHERE approver ORDER BY added_at")]

    def set_approver(self, user_id: str, *, approver: bool) -> bool:
        """Give or take the role; return False if nothing changed. Raises `Refused` for somebody who is not paired."""
        if approver and self.member(user_id) is None:
            raise Refused(
                sentence(
                    "{user_id} is not paired; only a paired person can be an approver: pair or allow them first",
                    user_id=user_id,
                )
            )
        with self.store.changing() as db:
            changed = db.execute(
                "UPDATE people SET approver = ? WHERE user_id = ? AND approver != ?", (approver, user_id, approver)
            ).rowcount
            if changed:
                self._audit.add("approver add" if approver else "approver rm", user_id)
            return bool(changed)

    def approver_chats(self) -> list[tuple[str, str | None]]:
        """Return the approvers' ids, each with their direct chat if it is known."""
        rows = self.store.rows(
            "SELECT user_id, (SELECT chat_id FROM chats c WHERE c.user_id = p.user_id AND kind = 'direct' AND "
            "present) AS chat_id FROM people p WHERE approver ORDER BY added_at"
        )
        return [(row["user_id"], row["chat_id"]) for row in rows]

    def direct_chat(self, user_id: str) -> tuple[Member | None, str | None]:
        """Return the paired person with this id and their direct chat, each None if unknown."""
        row = self.store.memory.recall(
            ("direct chat", user_id),
            lambda: self.store.row(
                "SELECT *, (SELECT c.chat_id FROM chats c WHERE c.user_id = p.user_id AND c.kind = 'direct' "
                "ORDER BY c.present DESC, c.seen_at DESC LIMIT 1) AS chat_id FROM people p WHERE p.user_id = ?",
                user_id,
            ),
        )
        return (None, None) if row is None else (_member(row), row["chat_id"])

    # ---- groups

    def group(self, chat_id: str) -> Group | None:
        """Return the enabled group with this id."""
        row = self.store.memory.recall(
            ("group", chat_id),
            lambda: self.store.row(
                "SELECT g.*, c.title FROM groups g LEFT JOIN chats c USING (chat_id) WHERE g.chat_id = ?", chat_id
            ),
        )
        return None if row is None else _group(row)

    def groups(self) -> list[Group]:
        """Return every enabled group."""
        rows = self.store.rows("SELECT g.*, c.title FROM groups g LEFT JOIN chats c USING (chat_id) ORDER BY added_at")
        return [_group(row) for row in rows]

    def any_patterns(self) -> bool:
        """Return True if an enabled group has patterns."""
        query = "SELECT 1 FROM groups WHERE patterns != '[]' LIMIT 1"
        return bool(self.store.memory.recall("patterns", lambda: self.store.value(query)))

    def add_group(
        self,
        chat_id: str,
        *,
        require_mention: bool,
        senders: frozenset[str] | None,
        patterns: Sequence[str] = (),
    ) -> None:
        """Enable a group, or change its rule. Raises `Refused` for a pattern that is not valid."""
        found = checked(patterns)
        with self.store.changing() as db:
            self._set_group(chat_id, require_mention, senders)
            db.execute("UPDATE groups SET patterns = ? WHERE chat_id = ?", (json.dumps(found), chat_id))
            self._audit.add("group add", chat_id)

    def remove_group(self, chat_id: str) -> bool:
        """Disable a group; return False if it was not enabled."""
        with self.store.changing() as db:
            gone = db.execute("DELETE FROM groups WHERE chat_id = ?", (chat_id,)).rowcount
            if gone:
                self._audit.add("group rm", chat_id)
            return bool(gone)

    def migrate_group(self, old_id: str, new_id: str) -> None:
        """Give a group, and its rule, its new id."""
        with self.store.changing() as db:
            db.execute("UPDATE OR REPLACE groups SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
            self._chats.migrate(old_id, new_id)
            self._key_values.set(f"moved:{old_id}", new_id)
            self._audit.add("group moved", new_id, old_id)

    def move_direct_chats(self, homes: Mapping[str, str]) -> dict[str, str]:
        """Give people's direct chats their new ids, by user id; return the old ids that changed, with the new ones."""
        moved: dict[str, str] = {}
        with self.store.changing():
            for known in self._chats.known():
                new = homes.get(known.user_id or "") if known.kind == "direct" else None
                if new is not None and new != known.chat_id:
                    self._chats.migrate(known.chat_id, new)
                    self._key_values.set(f"moved:{known.chat_id}", new)
                    moved[known.chat_id] = new
        return moved

    def current_id(self, chat_id: str) -> str:
        """Return the id that a chat has today: an agent may still hold the one it had before."""
        return self._key_values.get(f"moved:{chat_id}") or chat_id

    def _set_group(self, chat_id: str, require_mention: bool, senders: frozenset[str] | None) -> None:  # noqa: FBT001
        with self.store.changing() as db:
            db.execute(
                "INSERT INTO groups (chat_id, require_mention, senders, added_at) VALUES (?, ?, ?, ?) ON CONFLICT "
                "(chat_id) DO UPDATE SET require_mention = excluded.require_mention, senders = excluded.senders",
                (chat_id, require_mention, None if senders is None else json.dumps(sorted(senders)), time.time()),
            )

    def enabled_since(self) -> dict[str, float]:
        """Return the chats that the gate lets through, each with since when (epoch seconds).

        These are direct chats and enabled groups. A person whose direct chat is not known is there under their own id.
        """
        if self.policy() == "disabled":
            people: list[Row] = []
        else:
            people = self.store.rows(
                "SELECT coalesce(c.chat_id, p.user_id) AS id, p.added_at AS since FROM people p LEFT JOIN chats c ON "
                "c.user_id = p.user_id AND c.kind = 'direct'"
            )
            # People who wait to be let in are heard too: up to three of their messages are kept.
            people += self.store.rows(
                "SELECT chat_id AS id, min(created_at) AS since FROM pairings WHERE NOT ended GROUP BY chat_id"
            )
        rows = people + self.store.rows("SELECT chat_id AS id, added_at AS since FROM groups")
        return {row["id"]: row["since"] for row in rows}


def _policy(value: str | None) -> Policy:
    # An unknown value must not open the door.
    return cast("Policy", value) if value in _POLICIES else "pairing" if value is None else "disabled"


def _member(row: Row) -> Member:
    return Member(row["user_id"], row["name"], row["username"])


def _group(row: Row) -> Group:
    senders = None if row["senders"] is None else frozenset(json.loads(row["senders"]))
    patterns = tuple(json.loads(row["patterns"]))
    return Group(row["chat_id"], bool(row["require_mention"]), senders, row["title"], patterns)
