"""What the reading process knows about itself, kept in the store so that every other process can say it too."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from agent_channels.core.errors import StoreError
from agent_channels.core.store.database import Store

__all__ = ["Health"]

# The journal of polls is for people: one write in this many seconds is enough under load.
WRITE_EVERY_S = 5.0


class Health:
    """The health table: last_poll_ok, reader (state), error, note, session."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._written_at = 0.0
        self._state: tuple[str, str] | None = None

    def heard(self) -> None:
        """The platform answered a read just now."""
        now = time.time()
        changed = self.state("reading", "")
        if changed or now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            self._write("last_poll_ok", str(now))

    def state(self, state: str, error: str) -> bool:
        """The reader's state; True when it is another one than before."""
        if self._state == (state, error):
            return False
        self._state = (state, error)
        self._write("reader", state)
        self._write("error", error)
        return True

    @property
    def reading(self) -> bool:
        """Whether it was said already that the platform answers."""
        return self._state == ("reading", "")

    def latest(self) -> tuple[str, str] | None:
        """The reader's state and error as this process knows them, even when the disk did not take them."""
        return self._state

    def retry_in(self, seconds: float) -> None:
        """When the next try comes."""
        self._write("retry_at", str(time.time() + seconds))

    def note(self, text: str) -> None:
        """Something done on the operator's behalf, such as a webhook that was removed."""
        self._write("note", text)

    def idle(self, why: str) -> None:
        """A server is attached to a host and does not read the bot, for this reason."""
        self._write("idle", json.dumps({"pid": os.getpid(), "why": why}))

    def session(self, session_id: str, host: Sequence[str] = ()) -> None:
        """The host session for which the bot is read, and what its host is known by."""
        self._write("session", session_id)
        self._write("host", "\n".join(host))

    def bot(self, bot_id: str, username: str) -> None:
        """Who the token's bot is, as the platform said."""
        self._write("bot_id", bot_id)
        self._write("bot_username", username)

    def read(self) -> dict[str, Any]:
        """Everything known, by key."""
        return {row["key"]: row["value"] for row in self.store.rows("SELECT key, value FROM health")}

    def _write(self, key: str, value: str) -> None:
        # A disk that takes no writes is told by the journal, which must; this note may be missing.
        with contextlib.suppress(StoreError), self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?)", (key, value, time.time()))
