"""Host sessions: how each is reached, in which mode its agent was seen to answer, and which hooks it runs.

A mode in which a session was ever answered is proven for it: the modes below stay silent, so nothing comes twice in the
ordinary case.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from agent_channels.core.store.database import Row, Store

__all__ = ["HostSession", "Sessions"]

# Older rows are of sessions long gone.
KEPT_S = 14 * 86_400.0
# Among the hooks' times: until when one of them waits.
_WAITING = "(waiting)"


@dataclass(frozen=True, slots=True)
class HostSession:
    """One row. `hooks`: name -> when it last ran (epoch seconds)."""

    id: str
    client: str
    mode: str
    why: str
    proven: frozenset[str]
    hooks: dict[str, float]
    pulled_at: float | None
    loops: int
    loops_at: float | None
    ended_at: float | None
    waiting_until: float = 0.0


class Sessions:
    """The sessions table."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, session_id: str) -> HostSession | None:
        """The session with this id, if it was ever seen."""
        row = self.store.row("SELECT * FROM sessions WHERE id = ?", session_id)
        return None if row is None else _session(row)

    def seen(self, session_id: str, client: str = "") -> None:
        """A server or a hook of this session is here."""
        now = time.time()
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO sessions (id, started_at, client) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "client = CASE WHEN excluded.client = '' THEN client ELSE excluded.client END",
                (session_id, now, client),
            )
            db.execute("DELETE FROM sessions WHERE started_at < ? AND id != ?", (now - KEPT_S, session_id))

    def hook(self, session_id: str, name: str) -> None:
        """A hook of this session ran: a sign that hooks reach it."""
        with self.store.transaction() as db:
            self.seen(session_id)
            row = self.store.row("SELECT hooks FROM sessions WHERE id = ?", session_id)
            hooks = {**(json.loads(row["hooks"]) if row else {}), name: time.time()}
            db.execute("UPDATE sessions SET hooks = ? WHERE id = ?", (json.dumps(hooks), session_id))

    def waiting(self, session_id: str, until: float) -> None:
        """A hook of this session waits for the next message, and takes what comes until then (epoch seconds)."""
        with self.store.transaction() as db:
            row = self.store.row("SELECT hooks FROM sessions WHERE id = ?", session_id)
            hooks = {**(json.loads(row["hooks"]) if row else {}), _WAITING: until}
            db.execute("UPDATE sessions SET hooks = ? WHERE id = ?", (json.dumps(hooks), session_id))

    def pulled(self, session_id: str) -> None:
        """The session's agent asked for messages by itself."""
        with self.store.transaction() as db:
            # The very first thing it does may come before the server has written its session down.
            self.seen(session_id)
            db.execute("UPDATE sessions SET pulled_at = ? WHERE id = ?", (time.time(), session_id))

    def mode(self, session_id: str, mode: str, why: str) -> None:
        """The mode in force for a session."""
        with self.store.transaction() as db:
            db.execute("UPDATE sessions SET mode = ?, why = ? WHERE id = ?", (mode, why, session_id))

    def prove(self, session_id: str, mode: str) -> None:
        """The agent answered what came by this mode."""
        known = self.get(session_id)
        if known is None or mode in known.proven or not mode:
            return
        with self.store.transaction() as db:
            proven = ",".join(sorted(known.proven | {mode}))
            db.execute("UPDATE sessions SET proven = ? WHERE id = ?", (proven, session_id))

    def loop(self, session_id: str, count: int) -> None:
        """How often in a row the Stop hook let the turn go on."""
        with self.store.transaction() as db:
            db.execute("UPDATE sessions SET loops = ?, loops_at = ? WHERE id = ?", (count, time.time(), session_id))

    def end_waiting(self) -> None:
        """A person ended the waiting from the chat, in every session there is."""
        with self.store.transaction() as db:
            db.execute("UPDATE sessions SET ended_at = ?", (time.time(),))


def _session(row: Row) -> HostSession:
    hooks = {str(name): float(at) for name, at in json.loads(row["hooks"]).items()}
    waiting_until = hooks.pop(_WAITING, 0.0)
    return HostSession(
        id=row["id"],
        client=row["client"],
        mode=row["mode"],
        why=row["why"],
        proven=frozenset(filter(None, row["proven"].split(","))),
        hooks=hooks,
        pulled_at=row["pulled_at"],
        # Numbers that anything else wrote are not trusted to be numbers.
        loops=row["loops"] if isinstance(row["loops"], int) and 0 <= row["loops"] < 1000 else 0,
        loops_at=row["loops_at"] if isinstance(row["loops_at"], float) else None,
        ended_at=row["ended_at"] if isinstance(row["ended_at"], float) else None,
        waiting_until=waiting_until,
    )
