"""Which chats show the progress of which turn, in which of their messages."""

from __future__ import annotations

import time

from agent_channels.core.frozen import frozen
from agent_channels.core.host.turns import Place
from agent_channels.core.store.database import Row, Store

__all__ = ["ProgressMessage", "ProgressMessages"]


@frozen
class ProgressMessage:
    """The status message of a turn in one place.

    Its panel knows the message's id, once that is known. `over`: it says how the turn ended, or never will. Instead of
    a message there may be a draft, whose id is `id`, and which has no panel.
    """

    id: int
    turn_id: str
    place: Place
    panel_id: str
    over: bool

    @property
    def is_draft(self) -> bool:
        """Whether it is a draft."""
        return not self.panel_id


class ProgressMessages:
    """The table progress_messages."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def open(self) -> list[ProgressMessage]:
        """Return the messages that do not say yet how their turn ended, oldest first."""
        rows = self.store.rows("SELECT * FROM progress_messages WHERE state = 'open' ORDER BY id")
        return [_message(row) for row in rows]

    def of_turn(self, turn_id: str) -> list[ProgressMessage]:
        """Return every message of a turn."""
        return [_message(row) for row in self.store.rows("SELECT * FROM progress_messages WHERE turn_id = ?", turn_id)]

    def draft(self, draft_id: int) -> ProgressMessage | None:
        """Return the draft with this id, also one that is over."""
        row = self.store.row("SELECT * FROM progress_messages WHERE id = ? AND panel_id = ''", draft_id)
        return None if row is None else _message(row)

    def has_draft(self, place: Place) -> bool:
        """Return whether a chat or thread sees a draft of a turn that goes on."""
        sql = (
            "SELECT 1 FROM progress_messages WHERE state = 'open' AND panel_id = '' AND chat_id = ? AND thread_id IS ?"
        )
        return bool(self.store.value(sql, *place))

    def is_shown(self, place: Place) -> bool:
        """Return whether a chat or thread sees a message of a turn that goes on; a draft is none."""
        return bool(
            self.store.value(
                "SELECT 1 FROM progress_messages "
                "WHERE state = 'open' AND panel_id != '' AND chat_id = ? AND thread_id IS ?",
                *place,
            )
        )

    def add(self, turn_id: str, place: Place, panel_id: str) -> ProgressMessage:
        """Record a message that is about to be sent."""
        with self.store.transaction() as db:
            added = db.execute(
                "INSERT INTO progress_messages (turn_id, chat_id, thread_id, panel_id, created_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (turn_id, *place, panel_id, time.time()),
            )
        return ProgressMessage(added.lastrowid or 0, turn_id, place, panel_id, over=False)

    def forget(self, message_id: int) -> None:
        """Delete the record of a message that was not sent, or was deleted."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM progress_messages WHERE id = ?", (message_id,))

    def finish(self, message_id: int) -> None:
        """Record that a message says how its turn ended, or cannot be changed any more."""
        with self.store.transaction() as db:
            db.execute("UPDATE progress_messages SET state = 'over' WHERE id = ?", (message_id,))

    def finish_all(self) -> None:
        """Record that no message can be changed any more."""
        with self.store.transaction() as db:
            db.execute("UPDATE progress_messages SET state = 'over' WHERE state = 'open'")

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` messages that are over, sent before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM progress_messages WHERE id IN "
                "(SELECT id FROM progress_messages WHERE state = 'over' AND created_at < ? LIMIT ?)",
                (before, limit),
            ).rowcount


def _message(row: Row) -> ProgressMessage:
    place = Place(row["chat_id"], row["thread_id"])
    return ProgressMessage(row["id"], row["turn_id"], place, row["panel_id"], over=row["state"] == "over")
