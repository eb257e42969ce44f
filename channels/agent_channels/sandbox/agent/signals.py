"""Ends a program's tasks on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal

__all__ = ["end_on_signals"]


def end_on_signals() -> None:
    """Ends the play in order when the terminal is closed or the process is asked to go, as at Ctrl-C."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError, RuntimeError):
            if task is not None:
                loop.add_signal_handler(getattr(signal, name), task.cancel)
