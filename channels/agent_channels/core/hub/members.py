"""The members table: the projects of a bot, what they let in, and when each was last heard of."""

from __future__ import annotations

import contextlib
import json
import re
import time
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, HubTransaction, Row, Statement, parsed
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.lease import lock_domain
from agent_channels.core.hub.wakeups import HubWakeups
from agent_channels.core.i18n.sentences import sentence

__all__ = [
    "AWAY_AFTER_S",
    "BEAT_EVERY_S",
    "GATE",
    "MemberFacts",
    "MemberGroup",
    "Members",
    "ProjectMember",
    "SessionState",
    "project_name",
]

SessionState = Literal["working", "idle", "none"]
"""What a project's agent does: it works, it waits for messages, or no session is there."""
BEAT_EVERY_S = 15.0
# Three beats that did not come.
AWAY_AFTER_S = 50.0
NAME_MAX = 40
GATE = "{digest:people || gates || waiting}"
"""What differs once a project lets others in, or hears others: all of a member that decides about a message."""


class MemberGroup(NamedTuple):
    """A group that a project enabled: who may speak (None: every member), and whether talk to others is heard too."""

    senders: frozenset[str] | None = None
    hears_all: bool = True


@frozen
class MemberFacts:
    """What a project says of itself: whom it lets in, who approves, and the chats that it reads since when.

    `waiting` are the direct chats of people who asked it to be let in.
    """

    project: str
    name: str
    """The name that it would like; it gets another if a project has it already."""
    folder: str
    machine: str
    people: frozenset[str]
    approvers: frozenset[str]
    enabled: Mapping[str, float]
    groups: Mapping[str, MemberGroup]
    waiting: frozenset[str]
    session_state: SessionState
    domain: str = ""
    """The lock domain of the process that says so, if it works for the project."""


@frozen
class ProjectMember:
    """A project of a bot, by the name that people see. `silent_s`: for how long nothing was heard of it."""

    project: str
    name: str
    folder: str
    machine: str
    people: frozenset[str]
    approvers: frozenset[str]
    enabled: Mapping[str, float]
    groups: Mapping[str, MemberGroup]
    waiting: frozenset[str]
    session_state: SessionState
    silent_s: float
    joined_at: float
    gate: str = ""
    """What people, groups and waiting are, as `GATE` has it."""
    is_unreadable: bool = False
    """Whether it says whom it lets in as only another program can read: then it lets nobody in for us."""
    is_dead: bool = False
    """Whether its process ran on this machine and ended without a word. Known only from `Members.read`."""
    domain: str = ""
    """The lock domain of the process that spoke for it last; empty if none worked for it then."""

    @property
    def is_away(self) -> bool:
        """Whether its machine, or every session on it, is gone."""
        return self.silent_s > AWAY_AFTER_S

    @property
    def is_unattended(self) -> bool:
        """Whether no session works on it."""
        return self.is_away or self.is_dead or self.session_state == "none"

    def works_elsewhere(self, domain: str) -> bool:
        """Return whether a session works on it in another lock domain than this one."""
        return self.domain not in {"", domain} and not self.is_unattended

    @property
    def state(self) -> str:
        """What its agent does; `dead` or `away` if it stopped saying so."""
        if self.session_state == "none":
            return "none"
        return "dead" if self.is_dead else "away" if self.is_away else self.session_state


def project_name(text: str) -> str:
    """Return a text as a project's name: letters, digits, dots, dashes and underscores; never empty."""
    plain = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return re.sub(r"[^\w.-]+", "-", plain).strip("-.")[:NAME_MAX].rstrip("-.") or "project"


class Members:
    """The projects of one bot."""

    def __init__(self, db: HubDatabase, bot: str, wakeups: HubWakeups) -> None:
        self._db, self._bot, self._wakeups = db, bot, wakeups
        self.known: list[ProjectMember] = []
        """The projects as they were last read."""

    async def beat(self, facts: MemberFacts, *, name: str | None = None, announce: bool = True) -> str:
        """Record a project and that it is there, joining it if need be; return its name.

        `name`: what it is called from now on; without, it keeps its name. `announce`: whom it lets in may have changed,
        so who reads the bot hears of it at once. Raises `Refused`, with nothing changed, if the name is none or another
        project's; and `StoreError`.
        """
        async with self._db.transaction() as tx:
            now = float((await tx.rows("SELECT {now} AS now"))[0]["now"])
            says = (facts.folder, facts.machine, *_let_in(facts, now), facts.session_state, facts.domain)
            # Of two that join at once with one name the second one waits here, and then looks for another.
            while not (await self._update(tx, facts.project, says) or await self._insert(tx, facts, name, says)):
                pass
            if name is not None:
                await self._require_free(tx, facts.project, name)
                await tx.execute(
                    "UPDATE members SET name = ? WHERE bot = ? AND project = ?", name, self._bot, facts.project
                )
            rows = await tx.rows("SELECT name FROM members WHERE bot = ? AND project = ?", self._bot, facts.project)
            if announce:
                await self._wakeups.notify_members(tx)
        if announce:
            self._wakeups.send_members([KEEPER, *(member.project for member in self.known)])
        return str(rows[0]["name"])

    async def _update(self, tx: HubTransaction, project: str, says: Sequence[str]) -> bool:
        updated = await tx.execute(
            "UPDATE members SET folder = ?, machine = ?, people = ?, approvers = ?, enabled = ?, gates = ?, "
            "waiting = ?, session_state = ?, domain = ?, seen_at = {now} WHERE bot = ? AND project = ?",
            *says, self._bot, project,
        )  # fmt: skip
        return bool(updated)

    async def _insert(self, tx: HubTransaction, facts: MemberFacts, name: str | None, says: Sequence[str]) -> bool:
        if name is not None:
            await self._require_free(tx, facts.project, name)
        name = name or await self._free_name(tx, project_name(facts.name))
        inserted = await tx.execute(
            "INSERT INTO members (bot, project, name, folder, machine, people, approvers, enabled, gates, waiting, "
            "session_state, domain, seen_at, joined_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now}, {now}) "
            "ON CONFLICT DO NOTHING",
            self._bot, facts.project, name, *says,
        )  # fmt: skip
        return bool(inserted)

    async def refresh(self, facts: MemberFacts, silent_s: float) -> bool:
        """Record whom a project lets in that no session works on; return False if one does by now, or it is no member.

        `silent_s`: as in the `ProjectMember` by which that was found. Raises `StoreError`.
        """
        async with self._db.transaction() as tx:
            rows = await tx.rows("SELECT {now} AS now")
            changed = await tx.execute(
                "UPDATE members SET people = ?, approvers = ?, enabled = ?, gates = ?, waiting = ?, "
                "session_state = 'none' WHERE bot = ? AND project = ? AND (session_state = 'none' OR "
                "seen_at <= {now} - ?)",
                *_let_in(facts, float(rows[0]["now"])), self._bot, facts.project, silent_s,
            )  # fmt: skip
            if changed:
                await self._wakeups.notify_members(tx)
        if changed:
            self._wakeups.send_members([KEEPER, *(member.project for member in self.known)])
        return bool(changed)

    async def read(self) -> list[ProjectMember]:
        """Return every project of the bot, by name; they are `known` from then on. Raises `StoreError`."""
        async with self._db.reading() as tx:
            sql, values = self.query
            rows = await tx.rows(sql, *values)
        return self.known_by(rows, self._dead(rows))

    @property
    def query(self) -> Statement:
        """What asks for every project, to be asked together with something else."""
        # By name: one that is prepared with a * fails once a newer program has added a column.
        columns = (
            "project, name, folder, machine, people, approvers, enabled, gates, waiting, session_state, domain, "
            "seen_at, joined_at"
        )
        return f"SELECT {columns}, {GATE} AS gate, {{now}} AS now FROM members WHERE bot = ? ORDER BY name", (
            self._bot,
        )

    def known_by(self, rows: Sequence[Row], dead: Collection[str] = ()) -> list[ProjectMember]:
        """Return the projects in the rows of `query`, of which these are dead; they are `known` from then on."""
        self.known = [_member(row, is_dead=row["project"] in dead) for row in rows]
        return self.known

    def enabled_since(self) -> dict[str, float]:
        """Return the chats that any known project reads, by id, each with since when (epoch seconds)."""
        found: dict[str, float] = {}
        for member in self.known:
            for chat, since in member.enabled.items():
                found[chat] = min(since, found.get(chat, since))
        return found

    async def leave(self, project: str, *, read_on: bool = True) -> int | None:
        """Remove a project; return how many events that waited for it are to be decided again, None if it was not one.

        `read_on`: False if the project reads the bot by itself from now on: once no other is left, how far it was read
        for the hub is forgotten, as it would be out of date when one joins again. Raises `StoreError`.
        """
        async with self._db.transaction() as tx:
            if not await tx.execute("DELETE FROM members WHERE bot = ? AND project = ?", self._bot, project):
                return None
            await tx.execute("DELETE FROM routes WHERE bot = ? AND project = ?", self._bot, project)
            await tx.execute("DELETE FROM sent WHERE bot = ? AND project = ?", self._bot, project)
            if not read_on:
                await tx.execute(
                    "DELETE FROM cursors WHERE bot = ? AND NOT EXISTS (SELECT 1 FROM members WHERE bot = ?)",
                    self._bot, self._bot,
                )  # fmt: skip
            # One that several projects got, or that is asked about already, is not asked about again.
            await tx.execute(
                "DELETE FROM events WHERE bot = ? AND project = ? AND state IN ('waiting', 'claimed') AND EXISTS "
                "(SELECT 1 FROM events AS o WHERE o.bot = events.bot AND o.event_id = events.event_id "
                "AND o.project <> events.project)",
                self._bot, project,
            )  # fmt: skip
            return await tx.execute(
                "UPDATE events SET project = '', state = 'waiting', claimed_by = '', claimed_until = 0 "
                "WHERE bot = ? AND project = ? AND state IN ('waiting', 'claimed')",
                self._bot, project,
            )  # fmt: skip

    def _dead(self, rows: Sequence[Row]) -> set[str]:
        """Return the projects whose processes ran on this machine and ended without a word."""
        with contextlib.suppress(ConfigError, OSError):
            here = lock_domain() if any(row["domain"] for row in rows) else None
            return {row["project"] for row in rows if row["domain"] == here and self._wakeups.is_dead(row["project"])}
        return set()

    async def _require_free(self, tx: HubTransaction, project: str, name: str) -> None:
        """Raise `Refused` if a project cannot have a name."""
        if name != project_name(name):
            raise Refused(
                sentence("{name!r} cannot be a project's name; {other!r} can", name=name[:60], other=project_name(name))
            )
        rows = await tx.rows(
            "SELECT project FROM members WHERE bot = ? AND name = ? AND project <> ?", self._bot, name, project
        )
        if rows:
            raise Refused(sentence("another project is called {name!r}; `channels hub status` lists them", name=name))

    async def _free_name(self, tx: HubTransaction, wanted: str) -> str:
        rows = await tx.rows("SELECT name FROM members WHERE bot = ?", self._bot)
        taken = {str(row["name"]) for row in rows}
        names = (wanted, *(f"{wanted[: NAME_MAX - 4]}-{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)


def _member(row: Row, *, is_dead: bool) -> ProjectMember:
    state, now, here = row["session_state"], float(row["now"]), time.time()
    people, groups, waiting = _ids(row["people"]), _groups(row["gates"]), _ids(row["waiting"])
    return ProjectMember(
        project=row["project"],
        name=row["name"],
        folder=row["folder"],
        machine=row["machine"],
        people=people or frozenset(),
        approvers=_ids(row["approvers"]) or frozenset(),
        enabled={chat: since - now + here for chat, since in _times(row["enabled"]) or ()},
        groups=groups or {},
        waiting=waiting or frozenset(),
        session_state=state if state in get_args(SessionState) else "none",
        silent_s=now - float(row["seen_at"]),
        joined_at=float(row["joined_at"]),
        gate=row["gate"],
        is_unreadable=None in (people, groups, waiting),
        is_dead=is_dead,
        domain=row["domain"],
    )


def _let_in(facts: MemberFacts, now: float) -> tuple[str, ...]:
    """Return the columns people, approvers, enabled, gates and waiting; `now` is that of the database's clock."""
    # By that clock, as this machine's may be set to anything.
    enabled = {chat: since + now - time.time() for chat, since in facts.enabled.items()}
    return (
        json.dumps(sorted(facts.people)),
        json.dumps(sorted(facts.approvers)),
        json.dumps(enabled),
        _dump_groups(facts.groups),
        json.dumps(sorted(facts.waiting)),
    )


def _dump_groups(groups: Mapping[str, MemberGroup]) -> str:
    return json.dumps(
        {
            chat: (None if group.senders is None else sorted(group.senders), group.hears_all)
            for chat, group in groups.items()
        }
    )


# These columns are read with every message and change with every new person; there may be thousands of people.
_remembered = lru_cache(maxsize=512)


@_remembered
def _ids(text: str) -> frozenset[str] | None:
    return parsed("people", text, lambda found: frozenset(map(str, found)))


@_remembered
def _times(text: str) -> tuple[tuple[str, float], ...] | None:
    return parsed(
        "enabled", text, lambda found: tuple((str(chat), float(since)) for chat, since in dict(found).items())
    )


@_remembered
def _groups(text: str) -> Mapping[str, MemberGroup] | None:
    return parsed(
        "gates",
        text,
        lambda found: MappingProxyType(
            {
                str(chat): MemberGroup(None if senders is None else frozenset(map(str, senders)), bool(hears_all))
                for chat, (senders, hears_all) in dict(found).items()
            }
        ),
    )
