"""Turns: what the agent does from a prompt to its end, for whom, since when, and how it ended.

The process that the host's hooks call writes a turn; every process of the project reads it, and may ask it to stop.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from agent_channels.core.contract.messages import Place
from agent_channels.core.frozen import frozen
from agent_channels.core.store.database import Row, Store

__all__ = ["Detail", "Ending", "Place", "Step", "Turn", "Turns"]

Ending = Literal["done", "stopped", "failed", "interrupted", "gone"]
# A host whose hooks said nothing for so long, and whose server did not say either that it is still there, is gone.
GONE_AFTER_S = 120.0
# What is kept to be shown; a turn of ten thousand steps shows no more than this.
RECENT_MAX = 5
RUNNING_MAX = 50
FILES_MAX = 500
PLAN_MAX = 30
_TODO = "todo "


@frozen
class Step:
    """A tool that runs: its call's id, what it does in words, since when (epoch seconds), and whose it is.

    `agent` is a subagent's id, "" for the session's own agent.
    """

    call: str
    words: str
    since: float
    agent: str = ""


@dataclass(slots=True)
class Detail:
    """What people are shown of a turn. `plan` holds (key, text, whether it is done); `words`: what the agent last said.

    `note` is what the host does instead of working, such as compacting the conversation.
    """

    steps: int = 0
    files: list[str] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    recent: list[str] = field(default_factory=list)
    plan: list[tuple[str, str, bool]] = field(default_factory=list)
    words: str = ""
    note: str = ""

    def begin_step(self, step: Step, *, file: str = "") -> None:
        """Count a tool that begins to run; `file` is the path of the file that it changes, without secrets."""
        self.steps += 1
        self.running = [*self.running, step][-RUNNING_MAX:]
        if file and file not in self.files and len(self.files) < FILES_MAX:
            self.files.append(file)

    def end_steps(self, agent: str = "") -> None:
        """Count what ran for an agent, "" for the session's own, as done."""
        ended = [step for step in self.running if step.agent == agent]
        self.running = [step for step in self.running if step.agent != agent]
        self.recent = [*self.recent, *(step.words for step in ended)][-RECENT_MAX:]

    def put_in_plan(self, key: str, text: str, *, done: bool) -> None:
        """Add an item to the plan, or change the one that has this key."""
        known = {item[0]: item for item in self.plan}
        known[key] = (key, text or known.get(key, ("", "", False))[1], done)
        self.plan = list(known.values())[:PLAN_MAX]

    def put_todos(self, todos: Iterable[tuple[str, bool]]) -> None:
        """Replace what the last such list put into the plan; each item is its text, and whether it is done."""
        others = [item for item in self.plan if not item[0].startswith(_TODO)]
        listed = [(f"{_TODO}{position}", text, done) for position, (text, done) in enumerate(todos)]
        self.plan = [*others, *listed][:PLAN_MAX]

    def dump(self) -> str:
        """Return it as JSON."""
        running = [[step.call, step.words, step.since, step.agent] for step in self.running]
        return json.dumps([self.steps, self.files, running, self.recent, self.plan, self.words, self.note])

    @classmethod
    def load(cls, text: str) -> Detail:
        """Return what `dump` wrote; of a turn that has shown nothing yet, nothing."""
        values: Any = json.loads(text)
        if not values:
            return cls()
        steps, files, running, recent, plan, words, note = values
        return cls(steps, files, [Step(*one) for one in running], recent, [(k, t, d) for k, t, d in plan], words, note)


@dataclass(slots=True)
class Turn:
    """One turn of a host session. Times are epoch seconds; `stop_by` is who asked it to stop.

    `places` are the chats whose messages it was shown.
    """

    id: str
    session: str
    began_at: float
    places: list[Place] = field(default_factory=list)
    detail: Detail = field(default_factory=Detail)
    stop_at: float | None = None
    stop_by: str | None = None
    ended_at: float | None = None
    ending: Ending | None = None

    @property
    def chats(self) -> set[str]:
        """The chats that it works for, in whichever thread."""
        return {place.chat_id for place in self.places}


class Turns:
    """The turns table."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # The turn, and how far it has come, of which this process knows more than the table.
        self._ahead: tuple[str, Detail] | None = None

    def know(self, turn: Turn) -> None:
        """Have this process read a turn as it is now, before `save` writes down how far it has come."""
        self._ahead = turn.id, turn.detail

    # ---- reading

    def get(self, turn_id: str) -> Turn | None:
        """Return the turn with this id."""
        row = self.store.row("SELECT * FROM turns WHERE id = ?", turn_id)
        return None if row is None else self._turn(row)

    def running(self, session: str | None = None) -> list[Turn]:
        """Return the turns that have not ended, of one session or of all, oldest first."""
        where = "ended_at IS NULL" if session is None else "ended_at IS NULL AND session = ?"
        values = () if session is None else (session,)
        rows = self.store.rows(f"SELECT * FROM turns WHERE {where} ORDER BY began_at", *values)
        return [self._turn(row) for row in rows]

    def newest(self, limit: int) -> list[Turn]:
        """Return the turns that began last, newest first, running or not."""
        rows = self.store.rows("SELECT * FROM turns ORDER BY began_at DESC LIMIT ?", limit)
        return [self._turn(row) for row in rows]

    def working_for(self, place: Place) -> list[Turn]:
        """Return the turns that work for a chat, or for a thread of it, and have not ended."""
        return [turn for turn in self.running() if place in turn.places]

    def last(self, session: str) -> Turn | None:
        """Return the turn that began last in a session, running or not."""
        row = self.store.row("SELECT * FROM turns WHERE session = ? ORDER BY began_at DESC LIMIT 1", session)
        return None if row is None else self._turn(row)

    def current(self, session: str) -> Turn | None:
        """Return the turn that runs in a session: one indexed statement."""
        row = self.store.row(
            "SELECT * FROM turns WHERE session = ? AND ended_at IS NULL ORDER BY began_at DESC LIMIT 1", session
        )
        return None if row is None else self._turn(row)

    # ---- the host's own process

    def begin(self, turn: Turn) -> None:
        """Record a turn that begins; whatever ran before in its session was interrupted."""
        with self.store.transaction() as db:
            for before in self.running(turn.session):
                self.end(before.id, "interrupted")
            db.execute(
                "INSERT OR IGNORE INTO turns (id, session, began_at, seen_at, places, detail) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (turn.id, turn.session, turn.began_at, time.time(), json.dumps(turn.places), turn.detail.dump()),
            )

    def save(self, turn: Turn) -> None:
        """Record how far a turn has come, and that its host is there."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE turns SET detail = ?, seen_at = ? WHERE id = ?", (turn.detail.dump(), time.time(), turn.id)
            )

    def show(self, session: str, places: Iterable[Place]) -> Turn:
        """Record that a session was shown messages of these chats, in its running turn or one that begins with them."""
        with self.store.transaction() as db:
            turn = self.current(session)
            if turn is None:
                turn = Turn(secrets.token_hex(16), session, time.time(), list(dict.fromkeys(places)))
                self.begin(turn)
                return turn
            every = list(dict.fromkeys([*turn.places, *places]))
            if every != turn.places:
                turn.places = every
                db.execute("UPDATE turns SET places = ? WHERE id = ?", (json.dumps(every), turn.id))
            return turn

    # ---- endings

    def request_stop(self, turn_id: str, by: str) -> bool:
        """Ask a turn to stop; return False if it has ended, or was asked before."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE turns SET stop_at = ?, stop_by = ? WHERE id = ? AND ended_at IS NULL AND stop_at IS NULL",
                    (time.time(), by, turn_id),
                ).rowcount
            )

    def end(self, turn_id: str, ending: Ending) -> bool:
        """Record how a turn ended; return False if it had ended before."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE turns SET ended_at = ?, ending = ? WHERE id = ? AND ended_at IS NULL",
                    (time.time(), ending, turn_id),
                ).rowcount
            )

    def end_gone(self, session: str) -> int:
        """End the turns of other sessions whose host is gone; return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "UPDATE turns SET ended_at = seen_at, ending = 'gone' "
                "WHERE ended_at IS NULL AND session != ? AND seen_at < ?",
                (session, time.time() - GONE_AFTER_S),
            ).rowcount

    def bring_back(self, turn_id: str) -> bool:
        """Have a turn run on that was taken for gone: while the machine slept, or as its clock was set.

        Return False if it ended another way.
        """
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE turns SET ended_at = NULL, ending = NULL, seen_at = ? WHERE id = ? AND ending = 'gone'",
                    (time.time(), turn_id),
                ).rowcount
            )

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` turns that ended before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM turns WHERE id IN (SELECT id FROM turns WHERE ended_at < ? LIMIT ?)", (before, limit)
            ).rowcount

    def _turn(self, row: Row) -> Turn:
        ahead = self._ahead
        return Turn(
            id=row["id"],
            session=row["session"],
            began_at=row["began_at"],
            places=[Place(*place) for place in json.loads(row["places"])],
            detail=ahead[1] if ahead is not None and ahead[0] == row["id"] else Detail.load(row["detail"]),
            stop_at=row["stop_at"],
            stop_by=row["stop_by"],
            ended_at=row["ended_at"],
            ending=row["ending"],
        )
