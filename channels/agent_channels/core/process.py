"""What this process is to others on the machine: who started it, and that it leaves nothing readable behind."""

from __future__ import annotations

import os
import sys
import time
from typing import NamedTuple

__all__ = [
    "Restarts",
    "Supervised",
    "host_pid",
    "keep_private",
    "new_session_name",
    "restarts",
    "server_pid",
    "session_name",
    "supervised",
    "umask_before",
    "undo_for_child",
]

PRIVATE = 0o077
_before: tuple[int, int] | None = None


class Restarts(NamedTuple):
    """How often a server was started again since its host started it, why the last time, and when (epoch seconds)."""

    times: int
    why: str
    at: float


class Supervised(NamedTuple):
    """The process that supervises this one, the host that started that one, and what outlives a restart.

    `session`: a name for the host's session, for hosts that give none.
    """

    pid: int
    host: int
    session: str
    restarts: Restarts | None


_supervised: Supervised | None = None


def supervised(by: Supervised) -> None:
    """Record that this process was forked by a supervisor."""
    global _supervised  # noqa: PLW0603 - a process has one parent
    _supervised = by


def server_pid() -> int:
    """Return the process id that the host and people know this server by: the same after a restart."""
    return _supervised.pid if _supervised else os.getpid()


def host_pid() -> int:
    """Return the id of the process that started this server."""
    return _supervised.host if _supervised else os.getppid()


def session_name() -> str:
    """Return a name for the session of this server's host: the same after a restart."""
    return _supervised.session if _supervised else new_session_name()


def new_session_name() -> str:
    """Return a name that no other session has."""
    return f"{int(time.time())}-{os.urandom(4).hex()}"


def restarts() -> Restarts | None:
    """Return that and why this server was started again; None if it was not."""
    return _supervised.restarts if _supervised else None


def keep_private(*, for_good: bool) -> None:
    """Let nobody else read or write what this process creates, and write no core dump: its memory holds the token.

    Unless `for_good`, `undo_for_child` can take it back.
    """
    global _before  # noqa: PLW0603 - the process has one umask
    umask, size = os.umask(PRIVATE), 0
    if sys.platform != "win32":
        import resource

        size, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else most))
    _before = (umask, size)


def umask_before() -> int:
    """Return the umask that this process was started with, for programs that are not ours to restrict."""
    if _before is not None:
        return _before[0]
    umask = os.umask(PRIVATE)
    os.umask(umask)
    return umask


def undo_for_child() -> None:
    """Give a program that takes this process's place what this one was started with."""
    if _before is None:
        return
    os.umask(_before[0])
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (_before[1], resource.getrlimit(resource.RLIMIT_CORE)[1]))
