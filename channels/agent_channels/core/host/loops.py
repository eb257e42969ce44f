"""Loops: the same prompt again, round after round, until the agent promises that it is done.

A loop belongs to one host session. The host's Stop hook begins each round, so that none needs a running server; every
process of the project may end it, and tells people so in the same transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.host.progress_messages import ProgressMessages
from agent_channels.core.host.turns import GONE_AFTER_S, Place
from agent_channels.core.i18n.messages import translate
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Row, Store
from agent_channels.core.store.notices import Notices
from agent_channels.core.text.sanitize import label

if TYPE_CHECKING:
    from agent_channels.core.host.loop_spec import LoopSpec

__all__ = ["Loop", "LoopEnding", "Loops", "how_to_end", "round_line", "round_text"]

LoopEnding = Literal["promised", "rounds", "stopped", "failed", "interrupted", "gone", "blocked", "second"]
# What runs: the partial index loops_running has the same condition, word for word.
_RUNS = "ended_at IS NULL"
# The host says after a minute that it is idle; a loop that moved since then is not what it means.
IDLE_S = 30.0


@frozen
class Loop:
    """One loop. `round` is the round that runs, counted from 1; times are epoch seconds.

    `place` is the chat that began it, None for the terminal; `delivery_id` the entry of the message that did. `host`:
    what is known of the host, a line each (`host_keys`). `in_a_row`: how often the Stop hook let the turn go on since
    it last used a tool. `due_at`: from when on the session has to be woken for the round, None if it need not be.
    """

    id: int
    session: str
    host: str
    place: Place | None
    delivery_id: str | None
    prompt: str
    word: str
    rounds_max: int
    round: int
    in_a_row: int
    due_at: float | None
    begun_by: str
    began_at: float
    moved_at: float
    seen_at: float
    ending: LoopEnding | None = None

    @property
    def promise(self) -> str:
        """What the agent's last message holds when it is done, compared as it is."""
        return f"<promise>{self.word}</promise>"


def how_to_end(word: str) -> str:
    """Return what the model is told of ending a loop."""
    return (
        f"When that is done, and only then, write <promise>{word}</promise> in the last message of your turn. "
        "Until then just end your turn when a piece of the work is done: the next round begins by itself."
    )


def round_text(loop: Loop) -> str:
    """Return what the model reads when a round begins."""
    head = f"Round {loop.round} of {loop.rounds_max} of a loop: go on from where you are now with"
    return f"{head}\n\n{loop.prompt}\n\n{how_to_end(loop.word)}"


def round_line(loop: Loop) -> str:
    """Return the line that people read of a round."""
    return translate("loop_round", round=loop.round, most=loop.rounds_max)


class Loops:
    """The loops table."""

    def __init__(self, store: Store, notices: Notices, audit: Audit, progress_messages: ProgressMessages) -> None:
        self.store, self._notices, self._audit = store, notices, audit
        self._progress_messages = progress_messages

    # ---- reading

    def current(self, *sessions: str) -> Loop | None:
        """Return the loop that runs in a session, which may have several ids: one indexed statement."""
        marks = ", ".join("?" * len(sessions))
        row = self.store.row(f"SELECT * FROM loops WHERE {_RUNS} AND session IN ({marks}) LIMIT 1", *sessions)
        return None if row is None else _loop(row)

    def running(self) -> list[Loop]:
        """Return the loops that run, of every session, oldest first."""
        return [_loop(row) for row in self.store.rows(f"SELECT * FROM loops WHERE {_RUNS} ORDER BY id")]

    # ---- its life

    def start(
        self,
        spec: LoopSpec,
        session: str,
        host: str,
        by: tuple[str | None, str],
        *,
        place: Place | None = None,
        delivery_id: str | None = None,
    ) -> Loop | None:
        """Begin a loop; return None if one runs in this session. `by`: who does so, their id (if any) and name."""
        now = time.time()
        with self.store.transaction() as db:
            if self.current(session) is not None:
                return None
            db.execute(
                "INSERT INTO loops (session, host, chat_id, thread_id, delivery_id, prompt, word, rounds_max, "
                "begun_by, began_at, moved_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (session, host, *(place or (None, None)), delivery_id, spec.prompt, spec.word, spec.rounds_max, by[1],
                 now, now, now),
            )  # fmt: skip
            detail = f"session {session}, at most {spec.rounds_max} rounds, until {spec.word}"
            self._audit.add("loop_start", by[0] or by[1], detail)
            return self.current(session)

    def begin_round(
        self, loop: Loop, in_a_row: int, *, first: bool = False, wake_after_s: float | None = None
    ) -> Loop | None:
        """Record that the next round begins, and tell people; return None if the loop ended or moved meanwhile.

        `first`: what begins is its first round, which people were told of; `wake_after_s`: the session's bell rings for
        it unless it has begun by then.
        """
        now, number = time.time(), loop.round + (not first)
        due_at = None if wake_after_s is None else now + wake_after_s
        with self.store.transaction() as db:
            moved = db.execute(
                "UPDATE loops SET round = ?, in_a_row = ?, due_at = ?, moved_at = ?, seen_at = ? "
                f"WHERE id = ? AND {_RUNS} AND round = ?",
                (number, in_a_row, due_at, now, now, loop.id, loop.round),
            ).rowcount
            after = self.current(loop.session) if moved else None
            place = None if after is None or first else after.place
            # What shows the turn's progress shows its round too.
            if after is not None and place is not None and not self._progress_messages.is_shown(place):
                self._notices.add(place.chat_id, round_line(after), thread_id=place.thread_id, silent=True)
            return after

    def end(self, loop: Loop, ending: LoopEnding, by: tuple[str | None, str] | None = None) -> bool:
        """Record how a loop ended, and tell people; return False if it had ended. `by`: who stopped it, id and name."""
        now = time.time()
        with self.store.transaction() as db:
            ended = db.execute(
                f"UPDATE loops SET ended_at = ?, ending = ? WHERE id = ? AND {_RUNS}", (now, ending, loop.id)
            ).rowcount
            if not ended:
                return False
            detail = f"session {loop.session}, round {loop.round} of {loop.rounds_max}"
            self._audit.add("loop_stop" if by else "loop_end", (by[0] or by[1]) if by else None, f"{ending}, {detail}")
            for place in self._told(loop):
                self._notices.add(place.chat_id, _ended(loop, ending, by), thread_id=place.thread_id)
        return True

    def stop(self, loops: Iterable[Loop], by: tuple[str | None, str]) -> list[Loop]:
        """End loops that somebody stops; return those that ran."""
        return [loop for loop in loops if self.end(loop, "stopped", by)]

    def stop_in(self, sessions: Iterable[str], by: tuple[str | None, str]) -> list[Loop]:
        """End the loops of sessions whose turn somebody stops; return those that ran."""
        return self.stop((loop for session in set(sessions) if (loop := self.current(session)) is not None), by)

    # ---- what the host shows

    def prompted(self, *sessions: str) -> None:
        """Record that a prompt reached a session: it is awake, and its host counts from none again."""
        self._note(sessions, "in_a_row = 0, due_at = NULL, moved_at = :now, seen_at = :now")

    def worked(self, session: str) -> None:
        """Record that the agent used a tool: the host counts only turns that go on without one."""
        # Asked at every step: it is written down once in a round.
        if (loop := self.current(session)) is not None and loop.in_a_row:
            self._note((session,), "in_a_row = 0, seen_at = :now")

    def seen(self, session: str) -> None:
        """Record that the host of a loop is there."""
        self._note((session,), "seen_at = :now")

    def take_due(self, *sessions: str) -> Loop | None:
        """Return the loop for whose next round a session has to be woken now; the caller does so."""
        loop = self.current(*sessions)
        if loop is None or loop.due_at is None or loop.due_at > time.time():
            return None
        with self.store.transaction() as db:
            taken = db.execute(
                f"UPDATE loops SET due_at = NULL WHERE id = ? AND due_at IS NOT NULL AND {_RUNS}", (loop.id,)
            ).rowcount
        return loop if taken else None

    def wake_now(self, loop: Loop) -> None:
        """Have the bell ring for a round at once."""
        self._note((loop.session,), "due_at = :now")

    def end_failed(self, session: str) -> bool:
        """End the loop of a session whose agent could not go on; return False if there is none."""
        loop = self.current(session)
        return loop is not None and self.end(loop, "failed")

    def end_idle(self, session: str) -> bool:
        """End the loop of a session that waits for its user: somebody pressed Escape, of which no hook tells.

        Return False if there is none, or if its next round is on its way.
        """
        loop = self.current(session)
        idle = loop is not None and loop.due_at is None and loop.moved_at < time.time() - IDLE_S
        return loop is not None and idle and self.end(loop, "interrupted")

    def end_gone(self, session: str) -> int:
        """End the loops whose host is gone; return how many. `session` is the caller's own."""
        before = time.time() - GONE_AFTER_S
        ended = 0
        for loop in self.running():
            alive = _is_alive(loop.host)
            if loop.seen_at < before and (alive is False or (alive is None and loop.session != session)):
                ended += self.end(loop, "gone")
        return ended

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` loops that ended before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM loops WHERE id IN (SELECT id FROM loops WHERE ended_at < ? LIMIT ?)", (before, limit)
            ).rowcount

    def _note(self, sessions: tuple[str, ...], change: str) -> None:
        # Nearly always no loop runs, and then nothing is written.
        if (loop := self.current(*sessions)) is not None:
            with self.store.transaction() as db:
                values = {"id": loop.id, "now": time.time()}
                db.execute(f"UPDATE loops SET {change} WHERE id = :id AND {_RUNS}", values)

    def _told(self, loop: Loop) -> list[Place]:
        """The chats that are told of its end: the one that began it, or approvers, who may have left the terminal."""
        if loop.place is not None:
            return [loop.place]
        from agent_channels.core.people.access import Access
        from agent_channels.core.people.chats import Chats
        from agent_channels.core.store.keyvalue import KeyValue

        key_values = KeyValue(self.store)
        access = Access(self.store, Chats(self.store, key_values), key_values, self._audit)
        return [Place(chat_id, None) for _, chat_id in access.approver_chats() if chat_id]


def _ended(loop: Loop, ending: LoopEnding, by: tuple[str | None, str] | None) -> str:
    return translate(
        f"loop_ended_{ending}",
        round=loop.round,
        most=loop.rounds_max,
        word=loop.word,
        user=label(by[1]) if by else "",
    )


def _is_alive(host: str) -> bool | None:
    """Return whether a host's process runs; None if that cannot be known here."""
    pid = next((line.removeprefix("pid ") for line in host.split("\n") if line.startswith("pid ")), "")
    if os.name == "posix" and pid.isascii() and pid.isdigit():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            # It is there, and another user's.
            return True
        return True
    return None


def _loop(row: Row) -> Loop:
    return Loop(
        id=row["id"],
        session=row["session"],
        host=row["host"],
        place=None if row["chat_id"] is None else Place(row["chat_id"], row["thread_id"]),
        delivery_id=row["delivery_id"],
        prompt=row["prompt"],
        word=row["word"],
        rounds_max=row["rounds_max"],
        round=row["round"],
        in_a_row=row["in_a_row"],
        due_at=row["due_at"],
        begun_by=row["begun_by"],
        began_at=row["began_at"],
        moved_at=row["moved_at"],
        seen_at=row["seen_at"],
        ending=row["ending"],
    )
