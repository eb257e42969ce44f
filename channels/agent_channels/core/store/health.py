"""What the reading process knows about itself, kept in the store so that every other process can say it too."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence

from agent_channels.core.errors import StoreError
from agent_channels.core.i18n.sentences import packed, unpacked
from agent_channels.core.process import Restarts, server_pid
from agent_channels.core.store.database import Store

__all__ = ["Health"]

# The time of the last poll is for people to read: under load, one write in this many seconds is enough.
WRITE_EVERY_S = 5.0


class Health:
    """The health table: last_poll_ok, reader (its state), error, note, session, host, bot_id, restarts and so on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._written_at = 0.0
        self._state: tuple[str, str] | None = None
        self._unwritten: dict[str, str] = {}

    def record_answer(self) -> None:
        """Record that the platform answered a read just now."""
        now = time.time()
        changed = self.set_state("reading", "")
        if changed or now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            self._write("last_poll_ok", str(now))

    def set_state(self, state: str, error: str) -> bool:
        """Record the reader's state and error; return True if they changed."""
        if self._state == (state, error):
            return False
        self._state = (state, error)
        self._write("reader", state)
        self._write("error", error)
        return True

    @property
    def reading(self) -> bool:
        """Whether it is recorded already that the platform answers."""
        return self._state == ("reading", "")

    def latest(self) -> tuple[str, str] | None:
        """Return the reader's state and error as this process knows them, even if the disk did not take them."""
        return self._state

    def set_retry(self, seconds: float) -> None:
        """Record in how many seconds the next try comes."""
        self._write("retry_at", str(time.time() + seconds))

    def add_note(self, text: str) -> None:
        """Record something done on the operator's behalf, such as the removal of a webhook."""
        self._write("note", text)

    def set_plain_only(self, why: str) -> None:
        """Record why messages are not sent in the platform's rich form; empty: the server took one."""
        self._write("plain_only", why)

    def set_idle(self, why: str) -> None:
        """Record that a server is attached to a host but does not read the bot, and why."""
        self._write("idle", json.dumps({"pid": server_pid(), "why": packed(why)}))

    def set_session(self, session_id: str, host: Sequence[str] = ()) -> None:
        """Record the host session that the bot is read for, and by what its host can be recognised."""
        self._write("session", session_id)
        self._write("host", "\n".join(host))

    def set_hub(self, facts: Mapping[str, object] | None) -> None:
        """Record what is known of the hub that shares the bot; None: the bot is not shared."""
        self._write("hub", json.dumps(facts, ensure_ascii=False) if facts else "")

    def set_restarts(self, restarts: Restarts | None) -> None:
        """Record that and why the server that reads the bot was started again, or that it was not."""
        self._write("restarts", json.dumps(restarts._asdict() if restarts else None))

    def set_bot(self, bot_id: str, username: str, remark: str) -> None:
        """Record who the bot is, as the platform said, and what the operator should know of it, "" for nothing."""
        self._write("bot_id", bot_id)
        self._write("bot_username", username)
        self._write("remark", remark)

    def get(self, key: str) -> str | None:
        """Return one recorded value, or None."""
        value: str | None = self._unwritten.get(key)
        if value is None:
            value = self.store.value("SELECT value FROM health WHERE key = ?", key)
        return None if value is None else unpacked(value)

    def read(self) -> dict[str, str | None]:
        """Return every recorded value by key, those too that the disk did not take from this process."""
        rows = self.store.rows("SELECT key, value FROM health")
        found = {row["key"]: row["value"] for row in rows} | self._unwritten
        return {key: None if value is None else unpacked(value) for key, value in found.items()}

    def _write(self, key: str, value: str) -> None:
        # A disk that takes no writes shows in the journal, which must be written; this record may come later.
        self._unwritten[key] = packed(value)
        with contextlib.suppress(StoreError):
            with self.store.transaction() as db:
                for name, text in self._unwritten.items():
                    db.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?)", (name, text, time.time()))
            self._unwritten.clear()
