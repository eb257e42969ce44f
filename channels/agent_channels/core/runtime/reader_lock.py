"""Who reads this bot: a kernel file lock, the same one for all of a user's projects.

It is held while reading and freed by the kernel when the process dies. No process kills another; the note beside the
lock only tells people who holds it, and is believed only while the lock is held.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.file_lock import lock_file
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.limits import limits_in_force
from agent_channels.core.process import server_pid
from agent_channels.core.settings.file_systems import lock_refusal
from agent_channels.core.settings.paths import project_dir, runtime_dir
from agent_channels.core.settings.private_files import write_atomically
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["HandoverRequests", "LockHolder", "ReaderLock"]

# How many of a user's projects are remembered as readers of one bot.
READERS_MAX = 5
# Errors of opening the lock's file, not of locking it.
OF_THE_FILE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.ELOOP}


@frozen
class LockHolder:
    """The process that reads the bot: process id, host name, project folder, and since when (epoch seconds)."""

    pid: int
    host: str
    project: str
    since: float
    state_dir: str = ""

    def describe(self) -> str:
        """Return who it is, where, and since when, for a sentence."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return sentence(
            "process {pid} on {host}, project {project}, since {since}",
            pid=self.pid,
            host=self.host,
            project=self.project,
            since=since,
        )


def _short_name(folder: Path) -> str:
    return hashlib.sha256(os.path.realpath(folder).encode("utf-8", "surrogateescape")).hexdigest()[:12]


class HandoverRequests:
    """Requests to the reader of a state folder to hand its bot over, through the store."""

    def __init__(self, key_values: KeyValue) -> None:
        self._key_values = key_values

    def request(self) -> None:
        """Ask the reader of this state folder to hand its bot over."""
        self._key_values.set("release", str(time.time()))

    def take(self) -> bool:
        """Return True if a hand-over was requested; a request is answered once."""
        return self._key_values.get("release") is not None and self._key_values.delete("release")


class ReaderLock:
    """The lock of one bot on one platform."""

    def __init__(
        self,
        channel: str,
        bot_id: str,
        state_dir: Path,
        *,
        shared: bool = False,
        named: str = "",
        folder: Path | None = None,
    ) -> None:
        """`shared`: the lock of this state folder alone, on a bot whose reading is shared through a hub.

        `named`: whom the note names as its holder, instead of this process's project.
        """
        # While it is held.
        self._unlock: Callable[[], object] | None = None
        name = f"{channel}-{bot_id}-{_short_name(state_dir)}" if shared else f"{channel}-{bot_id}"
        base = (folder or runtime_dir()) / name
        self._project_lock = (
            None if shared else partial(ReaderLock, channel, bot_id, state_dir, shared=True, folder=folder)
        )
        self._path = base.with_name(f"{name}.lock")
        self._note = base.with_suffix(".json")
        self._last = base.with_suffix(".last")
        self._state_dir, self._named = state_dir, named

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._unlock is not None

    @property
    def was_made(self) -> bool:
        """Whether any process ever took it."""
        return self._path.exists()

    def claim(self) -> bool:
        """Take the lock if it is free; return True if this process holds it now.

        Raises `ConfigError` if there can be no lock.
        """
        if self.held:
            return True
        if not self._acquire():
            return False
        me = LockHolder(
            server_pid(), socket.gethostname(), self._named or str(project_dir()), time.time(), str(self._state_dir)
        )
        with contextlib.suppress(OSError):
            write_atomically(self._note, json.dumps(asdict(me)))
        return True

    def readers(self) -> list[Path]:
        """Return the last few state folders in which this bot was read, the latest one at the end."""
        try:
            return [Path(line) for line in self._last.read_text(encoding="utf-8").splitlines() if line]
        except (OSError, UnicodeDecodeError):
            return []

    def record_reader(self) -> None:
        """Record that this folder reads the bot now; only once it knows how far the last one had read."""
        readers = [*(folder for folder in self.readers() if folder != self._state_dir), self._state_dir][-READERS_MAX:]
        with contextlib.suppress(OSError):
            write_atomically(self._last, "".join(f"{folder}\n" for folder in readers))

    def release(self) -> None:
        """Release the lock."""
        if self.held:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
            self._give_back()

    def holder(self) -> LockHolder | None:
        """Return who holds the lock; None if it is free. Raises `ConfigError` if there can be no lock.

        Where the bot's reading is shared, who reads for this state folder comes first.
        """
        if self._project_lock is not None and (own := self._project_lock()).was_made and (found := own.holder()):
            return found
        if not self.held and self._free():
            return None
        try:
            return LockHolder(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return LockHolder(0, "unknown", "unknown", time.time())

    def is_read(self) -> bool:
        """Return whether a process reads for this state folder. Raises `ConfigError` if there can be no lock."""
        holder = self.holder()
        return holder is not None and holder.state_dir == str(self._state_dir)

    def _free(self) -> bool:
        # The kernel only answers by giving the lock; it is given back at once.
        if not self._acquire():
            return False
        self._give_back()
        return True

    def _give_back(self) -> None:
        unlock, self._unlock = self._unlock, None
        if unlock is not None:
            unlock()

    # A task that is cancelled while it waits for more than the lock drops it like this.
    __del__ = _give_back

    def _acquire(self) -> bool:
        path = self._path
        try:
            self._unlock = lock_file(path)
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if getattr(error, "errno", None) in OF_THE_FILE:
                raise ConfigError(
                    sentence(
                        "{path} cannot be opened ({reason}); fix that file or its folder", path=path, reason=reason
                    )
                ) from error
            limits = limits_in_force() if getattr(error, "errno", None) == errno.EMFILE else ""
            raise ConfigError(
                sentence("{path} cannot be opened ({reason}); {limits}", path=path, reason=reason, limits=limits)
                if limits
                else sentence(
                    "{refusal}; set XDG_RUNTIME_DIR to a folder on a disk of this machine",
                    refusal=lock_refusal(path, reason),
                )
            ) from error
        return self.held
