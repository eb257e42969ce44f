"""Who reads this bot: a kernel file lock that all of a user's projects meet at.

Held while reading, freed by the kernel when the process dies. Nobody kills anybody; the note beside the lock only tells
people who holds it, and is believed only while the lock is held.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_channels.core.settings.paths import project_dir, runtime_dir
from agent_channels.core.store.database import Store

__all__ = ["HandoverRequests", "LockHolder", "ReaderLock"]

# So many of a user's projects are remembered as readers of one bot.
READERS = 5


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The process that reads the bot: process id, host name, project folder, and since when (epoch seconds)."""

    pid: int
    host: str
    project: str
    since: float
    state_dir: str = ""

    def describe(self) -> str:
        """For a sentence: who, where, since when."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, project {self.project}, since {since}"


class HandoverRequests:
    """What processes ask of the one that reads, through the store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def release(self) -> None:
        """Asks the reader of this STATE_DIR to hand its bot over."""
        with self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES ('release', ?)", (str(time.time()),))

    def take_release(self) -> bool:
        """Whether a hand-over was asked for; asked once, it is answered once."""
        if self.store.value("SELECT 1 FROM settings WHERE key = 'release'") is None:
            return False
        with self.store.transaction() as db:
            return bool(db.execute("DELETE FROM settings WHERE key = 'release'").rowcount)


class ReaderLock:
    """The lock of one bot on one platform."""

    def __init__(self, channel: str, bot_id: str, state_dir: Path, *, folder: Path | None = None) -> None:
        from filelock import FileLock

        base = (folder or runtime_dir()) / f"{channel}-{bot_id}"
        self._lock = FileLock(f"{base}.lock", timeout=0, mode=0o600, thread_local=False)
        self._note = base.with_suffix(".json")
        self._last = base.with_suffix(".last")
        self._state_dir = state_dir

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return bool(self._lock.is_locked)

    def claim(self) -> bool:
        """Takes the lock if it is free; True when this process holds it now."""
        from filelock import Timeout

        if self.held:
            return True
        try:
            self._lock.acquire()
        except Timeout:
            return False
        me = LockHolder(os.getpid(), socket.gethostname(), str(project_dir()), time.time(), str(self._state_dir))
        # Replaced in one step: a reader sees the old note or the new one, never half of one.
        draft = self._note.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(asdict(me)), encoding="utf-8")
            draft.replace(self._note)
        return True

    def readers(self) -> list[Path]:
        """The state folders in which this bot was read, the last one at the end; a few at most."""
        try:
            return [Path(line) for line in self._last.read_text(encoding="utf-8").splitlines() if line]
        except (OSError, UnicodeDecodeError):
            return []

    def took_over(self) -> None:
        """Writes down that this folder goes on where the last one was: not before it knows how far that had come."""
        readers = [*(folder for folder in self.readers() if folder != self._state_dir), self._state_dir][-READERS:]
        draft = self._last.with_suffix(f".{os.getpid()}.last")
        with contextlib.suppress(OSError):
            draft.write_text("".join(f"{folder}\n" for folder in readers), encoding="utf-8")
            draft.replace(self._last)

    def release(self) -> None:
        """Gives the lock back."""
        if self.held:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
            self._lock.release()

    def holder(self) -> LockHolder | None:
        """Who holds the lock; None when it is free."""
        if not self.held and self._free():
            return None
        try:
            return LockHolder(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return LockHolder(0, "unknown", "unknown", time.time())

    def _free(self) -> bool:
        from filelock import Timeout

        # Trying is the only question the kernel answers; the lock is given back at once.
        try:
            self._lock.acquire()
        except Timeout:
            return False
        self._lock.release()
        return True
