"""Host sessions: how each is reached, in which mode its agent was seen to answer, and which hooks it runs.

A mode in which a session ever answered is proven for it: the modes below stay silent, so that nothing comes twice in
the ordinary case.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection

from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import packed, unpacked
from agent_channels.core.store.database import Row, Store

__all__ = ["CARRIED", "HostSession", "Sessions"]

# The modes by which we carry messages to the host.
CARRIED = ("push", "wake")

# Older rows are of sessions long gone.
KEEP_S = 14 * 86_400.0
# A process with the id of a host that is gone is another one.
LEFT_FRESH_S = 600.0
# Among the hooks' times: until when one of them waits for the next message.
_WAITING = "(waiting)"


@frozen
class HostSession:
    """One session. Times are epoch seconds; `hooks` says when each hook last ran.

    `loops`: how often in a row the Stop hook let the turn go on; `ended_at`: when a person ended the waiting from the
    chat; `waiting_until`: until when a hook waits and takes what comes; `host_id`: the host's own id for it, where that
    is another one, "" until a hook has said it.
    """

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
    host_id: str = ""

    def waits(self, now: float) -> bool:
        """Return whether its Stop hook waits for messages, or will wait after the turn that it let go on."""
        latest = max(self.hooks.get("stop", 0.0), self.hooks.get("prompt", 0.0), self.ended_at or 0.0)
        return self.waiting_until > now or (self.loops_at is not None and self.loops_at > latest)


class Sessions:
    """The sessions table."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, session_id: str) -> HostSession | None:
        """Return the session with this id, if it was ever seen."""
        row = self.store.row("SELECT * FROM sessions WHERE id = ?", session_id)
        return None if row is None else _session(row)

    def record(self, session_id: str, client: str = "") -> None:
        """Record that a server or a hook of this session is here; `client` is the host's name, if known."""
        now = time.time()
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO sessions (id, started_at, client) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "client = CASE WHEN excluded.client = '' THEN client ELSE excluded.client END",
                (session_id, now, client),
            )
            self.prune(session_id)

    def set_host(self, session_id: str, key: str) -> None:
        """Record which host's process started the server of a session whose id the host did not tell.

        Hooks may have run before: a session that they left with this key, and no server took, is this one.
        """
        with self.store.transaction():
            self._set(session_id, host_key=key)
            left = self.store.row(
                "SELECT id, hooks FROM sessions AS one WHERE host_key = ? AND id = host_id AND started_at > ? AND NOT "
                "EXISTS (SELECT 1 FROM sessions WHERE host_id = one.id AND id != one.id) ORDER BY started_at DESC",
                key,
                time.time() - LEFT_FRESH_S,
            )
            known = self.get(session_id)
            if left is not None and known is not None and not known.host_id:
                hooks = {**json.loads(left["hooks"]), **known.hooks}
                self._set(session_id, host_id=left["id"], hooks=json.dumps(hooks))

    def leave(self, host_id: str, keys: Collection[str]) -> None:
        """Record, from a hook, a session whose server is not there yet; `set_host` takes it up."""
        with self.store.transaction():
            self.record(host_id)
            for key in keys:
                self._set(host_id, host_key=key, host_id=host_id)

    def name_host(self, session_id: str, host_id: str) -> None:
        """Record the host's own id of a session."""
        self._set(session_id, host_id=host_id)

    def of_host(self, keys: Collection[str], host_id: str) -> str:
        """Return the session that a host calls `host_id`, and remember that name; "" if there is none.

        `keys`: what the host's process is known by. One process may hold several sessions, each with a server of its
        own: a name that is new belongs to the server that was started last and has no name yet.
        """
        marks = ", ".join("?" for _ in keys)
        with self.store.transaction():
            row = self.store.row(
                f"SELECT id FROM sessions WHERE host_key IN ({marks}) AND host_id IN (?, '') AND id != host_id "
                "ORDER BY host_id = '', started_at DESC",
                *keys,
                host_id,
            ) or self.store.row(
                f"SELECT id FROM sessions WHERE host_key IN ({marks}) AND id != host_id ORDER BY started_at DESC", *keys
            )
            if row is not None:
                self.name_host(row["id"], host_id)
        return row["id"] if row is not None else ""

    def prune(self, session_id: str) -> int:
        """Delete the sessions that are long gone, except the one named; return 0, since none of them is left."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM sessions WHERE started_at < ? AND id != ?", (time.time() - KEEP_S, session_id))
        return 0

    def record_hook(self, session_id: str, name: str) -> None:
        """Record that a hook of this session ran: a sign that hooks reach it."""
        with self.store.transaction():
            self.record(session_id)
            self._set_hook(session_id, name, time.time())

    def set_waiting(self, session_id: str, until: float) -> None:
        """Record until when (epoch seconds) a hook of this session waits for the next message and takes it; 0: not."""
        self._set_hook(session_id, _WAITING, until)

    def _set_hook(self, session_id: str, name: str, at: float) -> None:
        with self.store.transaction():
            row = self.store.row("SELECT hooks FROM sessions WHERE id = ?", session_id)
            hooks = {**(json.loads(row["hooks"]) if row else {}), name: at}
            self._set(session_id, hooks=json.dumps(hooks))

    def record_pull(self, session_id: str) -> None:
        """Record that the session's agent asked for messages by itself."""
        with self.store.transaction():
            # The very first thing it does may come before the server has recorded its session.
            self.record(session_id)
            self._set(session_id, pulled_at=time.time())

    def set_mode(self, session_id: str, mode: str, why: str) -> None:
        """Record the mode in force for a session."""
        self._set(session_id, mode=mode, why=packed(why))

    def prove(self, session_id: str, mode: str) -> None:
        """Record that the agent answered a message delivered by this mode."""
        known = self.get(session_id)
        if known is not None and mode and mode not in known.proven:
            self._set(session_id, proven=",".join(sorted(known.proven | {mode})))

    def set_loops(self, session_id: str, count: int) -> None:
        """Record how often in a row the Stop hook let the turn go on."""
        self._set(session_id, loops=count, loops_at=time.time())

    def end_waiting(self) -> bool:
        """Record that a person ended the waiting from the chat, in every session; return False if none waited."""
        now = time.time()
        with self.store.transaction() as db:
            waited = any(_session(row).waits(now) for row in self.store.rows("SELECT * FROM sessions"))
            db.execute("UPDATE sessions SET ended_at = ?", (now,))
        return waited

    def _set(self, session_id: str, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.store.transaction() as db:
            db.execute(f"UPDATE sessions SET {columns} WHERE id = ?", (*values.values(), session_id))


def _session(row: Row) -> HostSession:
    hooks = {str(name): float(at) for name, at in json.loads(row["hooks"]).items()}
    waiting_until = hooks.pop(_WAITING, 0.0)
    return HostSession(
        id=row["id"],
        client=row["client"],
        mode=row["mode"],
        why=unpacked(row["why"]),
        proven=frozenset(filter(None, row["proven"].split(","))),
        hooks=hooks,
        pulled_at=row["pulled_at"],
        # Numbers that anything else wrote are not trusted to be numbers.
        loops=row["loops"] if isinstance(row["loops"], int) and 0 <= row["loops"] < 1000 else 0,
        loops_at=row["loops_at"] if isinstance(row["loops_at"], float) else None,
        ended_at=row["ended_at"] if isinstance(row["ended_at"], float) else None,
        waiting_until=waiting_until,
        host_id=row["host_id"],
    )
