"""What an agent said at the end of a turn, for the chats that the turn worked for, until somebody looked after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.host.turns import Place, Turn
from agent_channels.core.log import redact
from agent_channels.core.store.database import Row, Store

__all__ = ["FinalAnswer", "FinalAnswers"]

State = Literal["due", "offered", "wanted", "sent", "dropped"]
"""Nobody looked after it yet; people were asked whether they want it, and do; it was sent, or need not be."""
# The partial index final_answers_due has the same condition, word for word.
_DUE = "state IN ('due', 'wanted')"


@frozen
class FinalAnswer:
    """One answer for one chat. `session` is the turn's, `since` when the turn began (epoch seconds)."""

    id: int
    turn_id: str
    session: str
    place: Place
    since: float
    text: str
    state: State


class FinalAnswers:
    """The table final_answers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, turn: Turn, text: str) -> None:
        """Record what the agent said at the end of a turn, without credentials, for each of its chats."""
        text = redact(text)
        with self.store.transaction() as db:
            db.executemany(
                "INSERT INTO final_answers (turn_id, session, chat_id, thread_id, since, text, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (turn.id, turn.session, place.chat_id, place.thread_id, turn.began_at, text, time.time())
                    for place in turn.places
                ],
            )

    def due(self) -> list[FinalAnswer]:
        """Return the answers to be sent or offered, oldest first."""
        return [_answer(row) for row in self.store.rows(f"SELECT * FROM final_answers WHERE {_DUE} ORDER BY id")]

    def are_due(self, turn_id: str) -> bool:
        """Return whether an answer of this turn has not been looked after."""
        return bool(self.store.value(f"SELECT 1 FROM final_answers WHERE {_DUE} AND turn_id = ? LIMIT 1", turn_id))

    def offered(self, turn_id: str, place: Place) -> FinalAnswer | None:
        """Return the answer that people in a chat were asked about."""
        row = self.store.row(
            "SELECT * FROM final_answers WHERE state = 'offered' AND turn_id = ? AND chat_id = ? AND thread_id IS ?",
            turn_id,
            *place,
        )
        return None if row is None else _answer(row)

    def set_state(self, answer_id: int, state: State) -> None:
        """Record what became of an answer."""
        with self.store.transaction() as db:
            db.execute("UPDATE final_answers SET state = ? WHERE id = ?", (state, answer_id))

    def matching(self, chat_id: str, wanted: Callable[[str], bool]) -> list[int]:
        """Return the ids of a chat's answers that were looked after and are `wanted`."""
        rows = self.store.rows(
            "SELECT id, text FROM final_answers WHERE chat_id = ? AND state IN ('sent', 'dropped')", chat_id
        )
        return [row["id"] for row in rows if wanted(row["text"])]

    def forget(self, ids: Iterable[int]) -> None:
        """Delete answers."""
        with self.store.transaction() as db:
            db.executemany("DELETE FROM final_answers WHERE id = ?", [(one,) for one in ids])

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` answers written before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM final_answers WHERE id IN (SELECT id FROM final_answers WHERE created_at < ? LIMIT ?)",
                (before, limit),
            ).rowcount


def _answer(row: Row) -> FinalAnswer:
    place = Place(row["chat_id"], row["thread_id"])
    return FinalAnswer(row["id"], row["turn_id"], row["session"], place, row["since"], row["text"], row["state"])
