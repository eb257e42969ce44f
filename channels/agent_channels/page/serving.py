"""Keeping a page up at a terminal: its address, the browser, and the end by Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import webbrowser
from pathlib import Path

from agent_channels.core.errors import ChannelError
from agent_channels.core.i18n.sentences import in_language, sentence
from agent_channels.page.server import PageServer

__all__ = ["end_on_signals", "opener", "say", "show", "start"]


async def start(server: PageServer, what: str) -> None:
    """Start listening. Raises `ChannelError` when the port is taken; `what` is what cannot listen then."""
    try:
        await server.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = sentence(
            "{what} cannot listen on port {port} ({reason}); name another with --port, or 0 for a free one",
            what=what,
            port=server.port,
            reason=reason,
        )
        raise ChannelError(msg) from error


async def show(url: str, folder: Path, *, quiet: bool = False, language: str = "en") -> None:
    """Open the page in the user's browser, by a file in a private folder, and say so unless `quiet`."""
    if not _has_display():
        if not quiet:
            say(
                in_language(
                    "No browser was opened: there is no screen here. Open the address above in one on this machine.",
                    language,
                )
            )
        return
    if not quiet:
        say(in_language("It opens in your browser. If it does not, open the address above.", language))
    await asyncio.to_thread(webbrowser.open, opener(url, folder))


def opener(url: str, folder: Path) -> str:
    """Return the address of a private file that leads to a page: other users can read a browser's command line."""
    file = folder / "open.html"
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">', encoding="utf-8")
    return file.as_uri()


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def end_on_signals() -> None:
    """Cancel the current task when the terminal closes or the process is asked to end, as Ctrl-C does."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError, RuntimeError):
            if task is not None:
                loop.add_signal_handler(getattr(signal, name), task.cancel)


def _has_display() -> bool:
    """Return True if a browser can open a window; without one, a text browser would take over this terminal."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
