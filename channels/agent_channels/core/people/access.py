"""The one gate: who may speak to the agent, and where the agent may speak.

Every handler passes it, taps and commands too. Only numeric ids decide; names are for reading. What is not allowed in
so many words is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, cast, get_args

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import Refused
from agent_channels.core.people.chats import Chats
from agent_channels.core.people.mention_patterns import checked, matches
from agent_channels.core.store.database import Row

__all__ = ["Access", "Group", "Member", "Policy", "Verdict"]

Policy = Literal["pairing", "allowlist", "disabled"]
_POLICIES = get_args(Policy)


class Verdict(Enum):
    """What the gate says of an event."""

    PASS = "pass"  # noqa: S105
    PAIR = "pair"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Member:
    """A person who may write to the bot directly."""

    user_id: str
    name: str
    username: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """An enabled group. `senders` None: every member."""

    chat_id: str
    require_mention: bool
    senders: frozenset[str] | None
    title: str | None
    patterns: tuple[str, ...] = ()


class Access(Chats):
    """The tables people, groups, chats and the policy."""

    # ---- the gate

    def decide(self, chat: Chat, sender: Person, *, addressed: bool) -> Verdict:
        """Whether an event from `sender` in `chat` reaches the agent."""
        if chat.kind == "direct":
            return self._decide_direct(sender)
        group = self._rule(chat)
        if group is None:
            return Verdict.SILENT
        if group.senders is not None and sender.id not in group.senders:
            return Verdict.SILENT
        if sender.is_bot and (group.senders is None or sender.id not in group.senders):
            return Verdict.SILENT
        return Verdict.PASS if addressed or not group.require_mention else Verdict.SILENT

    def _rule(self, chat: Chat) -> Group | None:
        return self.group(chat.id) or (self.group(chat.parent_id) if chat.parent_id else None)

    def _decide_direct(self, sender: Person) -> Verdict:
        policy = self.policy()
        if policy == "disabled":
            return Verdict.SILENT
        if self.member(sender.id):
            return Verdict.PASS
        return Verdict.PAIR if policy == "pairing" and not sender.is_bot else Verdict.SILENT

    def require_target(self, chat_id: str, channel: str) -> None:
        """Lets through only chats the gate would deliver from.

        Raises `Refused` naming the chat and the command which would allow it.
        """
        # In one statement, since it is asked before everything that is sent.
        row = self.store.row(
            "SELECT EXISTS (SELECT 1 FROM groups g WHERE g.chat_id IN (asked.id, c.parent_id)) AS enabled, "
            "EXISTS (SELECT 1 FROM people p WHERE p.user_id = "
            "CASE c.kind WHEN 'direct' THEN c.user_id ELSE asked.id END) AS known, "
            "(SELECT value FROM settings WHERE key = 'policy') AS policy "
            "FROM (SELECT ? AS id) asked LEFT JOIN chats c ON c.chat_id = asked.id",
            chat_id,
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

    # ---- the policy

    def policy(self) -> Policy:
        """The rule for direct messages; `pairing` until the operator says otherwise."""
        return _policy(self.store.value("SELECT value FROM settings WHERE key = 'policy'"))

    def set_policy(self, policy: Policy) -> None:
        """Changes the rule for direct messages."""
        with self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES ('policy', ?)", (policy,))
            self.audit("policy", detail=policy)

    # ---- people

    def member(self, user_id: str) -> Member | None:
        """The paired or allowed person with this id."""
        row = self.store.row("SELECT * FROM people WHERE user_id = ?", user_id)
        return None if row is None else _member(row)

    def members(self) -> list[Member]:
        """Everybody who may write directly, oldest first."""
        return [_member(row) for row in self.store.rows("SELECT * FROM people ORDER BY added_at, user_id")]

    def allow(self, user_id: str, *, by: str, name: str = "", username: str | None = None) -> bool:
        """Lets a person write directly; False when they already could."""
        with self.store.transaction() as db:
            added = db.execute(
                "INSERT INTO people (user_id, name, username, added_at, added_by) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (user_id, name, username, time.time(), by),
            ).rowcount
            if added:
                self.audit("allow", user_id, by)
            return bool(added)

    def remove(self, user_id: str) -> bool:
        """Takes a person off every list; False when they were on none."""
        with self.store.transaction() as db:
            gone = db.execute("DELETE FROM people WHERE user_id = ?", (user_id,)).rowcount
            listed = 0
            for group in self.groups():
                if group.senders and user_id in group.senders:
                    self._set_group(group.chat_id, group.require_mention, group.senders - {user_id})
                    listed += 1
            if gone or listed:
                self.audit("remove", user_id)
            return bool(gone or listed)

    # ---- approvers: a list of their own, a subset of the paired

    def approver(self, user_id: str) -> bool:
        """Whether this person may answer permission prompts."""
        return bool(self.store.value("SELECT approver FROM people WHERE user_id = ?", user_id))

    def approvers(self) -> list[Member]:
        """Everybody who may answer permission prompts."""
        return [_member(row) for row in self.store.rows("SELECT * FROM people WHERE approver ORDER BY added_at")]

    def set_approver(self, user_id: str, *, approver: bool) -> bool:
        """Gives or takes the role; False when it was so already. Raises `Refused` for somebody who is not paired."""
        if approver and self.member(user_id) is None:
            raise Refused(f"{user_id} is not paired; only a paired person can be an approver: pair or allow them first")
        with self.store.transaction() as db:
            changed = db.execute(
                "UPDATE people SET approver = ? WHERE user_id = ? AND approver != ?", (approver, user_id, approver)
            ).rowcount
            if changed:
                self.audit("approver add" if approver else "approver rm", user_id)
            return bool(changed)

    def approver_chats(self) -> list[tuple[str, str | None]]:
        """The approvers' ids, each with the direct chat it was seen in, if one was."""
        rows = self.store.rows(
            "SELECT user_id, (SELECT chat_id FROM chats c WHERE c.user_id = p.user_id AND kind = 'direct' AND "
            "present) AS chat_id FROM people p WHERE approver ORDER BY added_at"
        )
        return [(row["user_id"], row["chat_id"]) for row in rows]

    def direct_chat(self, user_id: str) -> tuple[Member | None, str | None]:
        """The paired person with this id, and the direct chat they were seen in."""
        row = self.store.row(
            "SELECT *, (SELECT c.chat_id FROM chats c WHERE c.user_id = p.user_id AND c.kind = 'direct' "
            "ORDER BY c.present DESC, c.seen_at DESC LIMIT 1) AS chat_id FROM people p WHERE p.user_id = ?",
            user_id,
        )
        return (None, None) if row is None else (_member(row), row["chat_id"])

    # ---- groups

    def group(self, chat_id: str) -> Group | None:
        """The enabled group with this id."""
        row = self.store.row(
            "SELECT g.*, c.title FROM groups g LEFT JOIN chats c USING (chat_id) WHERE g.chat_id = ?", chat_id
        )
        return None if row is None else _group(row)

    def groups(self) -> list[Group]:
        """Every enabled group."""
        rows = self.store.rows("SELECT g.*, c.title FROM groups g LEFT JOIN chats c USING (chat_id) ORDER BY added_at")
        return [_group(row) for row in rows]

    def called(self, chat: Chat, text: str) -> bool:
        """Whether a text calls the agent by one of the group's patterns."""
        group = self._rule(chat) if chat.kind == "group" else None
        return group is not None and bool(group.patterns) and matches(group.patterns, text)

    def add_group(
        self,
        chat_id: str,
        *,
        require_mention: bool,
        senders: frozenset[str] | None,
        patterns: Sequence[str] = (),
    ) -> None:
        """Enables a group, or changes its rule. Raises `Refused` for a pattern that is none."""
        found = checked(patterns)
        with self.store.transaction() as db:
            self._set_group(chat_id, require_mention, senders)
            db.execute("UPDATE groups SET patterns = ? WHERE chat_id = ?", (json.dumps(found), chat_id))
            self.audit("group add", chat_id)

    def remove_group(self, chat_id: str) -> bool:
        """Disables a group; False when it was not enabled."""
        with self.store.transaction() as db:
            gone = db.execute("DELETE FROM groups WHERE chat_id = ?", (chat_id,)).rowcount
            if gone:
                self.audit("group rm", chat_id)
            return bool(gone)

    def move_group(self, old_id: str, new_id: str) -> None:
        """A group lives on under a new id: so does its rule."""
        with self.store.transaction() as db:
            db.execute("UPDATE OR REPLACE groups SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
            db.execute("UPDATE OR REPLACE chats SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (f"moved:{old_id}", new_id))
            self.audit("group moved", new_id, old_id)

    def now_called(self, chat_id: str) -> str:
        """The id under which a chat lives today: an agent may still hold the one it had before."""
        moved: str | None = self.store.value("SELECT value FROM settings WHERE key = ?", f"moved:{chat_id}")
        return moved or chat_id

    def _set_group(self, chat_id: str, require_mention: bool, senders: frozenset[str] | None) -> None:  # noqa: FBT001
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO groups (chat_id, require_mention, senders, added_at) VALUES (?, ?, ?, ?) ON CONFLICT "
                "(chat_id) DO UPDATE SET require_mention = excluded.require_mention, senders = excluded.senders",
                (chat_id, require_mention, None if senders is None else json.dumps(sorted(senders)), time.time()),
            )

    def heard_from(self) -> dict[str, float]:
        """The chats the gate lets through, each with since when: direct chats, enabled groups, and their threads.

        A person whose direct chat was never seen is there under their own id.
        """
        if self.policy() == "disabled":
            people: list[Row] = []
        else:
            people = self.store.rows(
                "SELECT coalesce(c.chat_id, p.user_id) AS id, p.added_at AS since FROM people p LEFT JOIN chats c ON "
                "c.user_id = p.user_id AND c.kind = 'direct'"
            )
            # Whoever waits to be let in is heard too: up to three of their messages are kept.
            people += self.store.rows(
                "SELECT chat_id AS id, min(created_at) AS since FROM pairings WHERE NOT ended GROUP BY chat_id"
            )
        rows = people + self.store.rows("SELECT chat_id AS id, added_at AS since FROM groups")
        return {row["id"]: row["since"] for row in rows}

    def audit(self, what: str, subject: str | None = None, detail: str | None = None) -> None:
        """Writes a line into the audit table."""
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO audit (at, what, subject, detail) VALUES (?, ?, ?, ?)",
                (time.time(), what, subject, detail),
            )


def _policy(value: str | None) -> Policy:
    # A value nobody knows must not open the door.
    return cast("Policy", value) if value in _POLICIES else "pairing" if value is None else "disabled"


def _member(row: Row) -> Member:
    return Member(row["user_id"], row["name"], row["username"])


def _group(row: Row) -> Group:
    senders = None if row["senders"] is None else frozenset(json.loads(row["senders"]))
    patterns = tuple(json.loads(row["patterns"]))
    return Group(row["chat_id"], bool(row["require_mention"]), senders, row["title"], patterns)
