"""Leave the process at once, also at a signal, whatever else is going on."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import NoReturn

from agent_channels.core import tracing

__all__ = ["leave", "leave_on_signals"]


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
    """End the process now, or a second later if a collector of traces does not answer.

    What must be kept was committed as it happened, and the kernel frees the reader's lock.
    """
    if tracing.is_on():
        tracing.flush()
    os._exit(code)
