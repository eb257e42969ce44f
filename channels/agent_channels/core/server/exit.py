"""Leave the process at once, also at a signal, whatever else is going on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import NoReturn

__all__ = ["before_leaving", "leave", "leave_on_signals"]

_before: list[Callable[[], None]] = []


def before_leaving(call: Callable[[], None]) -> None:
    """Have something done when the process leaves, which it puts off until then."""
    _before.append(call)


def leave_on_signals() -> None:
    """End the process at a signal, even while the event loop is stuck or the host does not read.

    The C-level handler writes to a socket and a thread waits at its other end: neither needs the main thread.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)  # noqa: FBT003 - the standard library takes it so
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with theirs, ours:
            ours.recv(1)
            leave()

    threading.Thread(target=wait, daemon=True, name="signals").start()


def leave(*, code: int = 0) -> NoReturn:
    """End the process now, after the calls registered with `before_leaving`, each of which bounds its own time.

    What must be kept was committed as it happened, and the kernel frees the reader's lock.
    """
    for call in _before:
        with contextlib.suppress(Exception):
            call()
    os._exit(code)
