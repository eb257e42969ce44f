"""A program in a terminal of its own, and the person who types there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from wire_host import PATIENCE_S

__all__ = ["Terminal"]

# The session's controlling terminal is what the program takes for the one that people type at.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One program; used as an async context, which ends it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._command, self._cwd, self._env = command, cwd, {**env, "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
        self.shown = ""
        self._seen = 0
        self._news = asyncio.Event()
        self._ours = -1
        self.process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._start()
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    def _start(self) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, *self._command],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=self._cwd, env=dict(self._env), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        await asyncio.to_thread(self.process.wait)
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(self._ours, 65536)
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.shown += _COLOURS.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
        self._news.set()

    async def until(self, text: str) -> str:
        """What is shown from where the last wait ended up to and with this text."""
        async with asyncio.timeout(PATIENCE_S):
            while (at := self.shown.find(text, self._seen)) < 0:
                self._news.clear()
                assert self.process is not None
                if self.process.poll() is not None:
                    raise AssertionError(f"it ended before it showed {text!r}:\n{self.shown}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.5)
        start, self._seen = self._seen, at + len(text)
        return self.shown[start : self._seen]

    def type(self, text: str) -> None:
        """Types a line."""
        os.write(self._ours, text.encode() + b"\n")

    async def answer(self, question: str, text: str) -> str:
        """Waits for a question, and types its answer."""
        shown = await self.until(question)
        self.type(text)
        return shown

    async def interrupt(self) -> int:
        """Presses Ctrl-C until the program ends; its exit code.

        A signal that comes after a prompt is drawn and before its answer is read is only noticed at the next one.
        """
        assert self.process is not None
        async with asyncio.timeout(PATIENCE_S):
            while self.process.poll() is None:
                os.write(self._ours, b"\x03")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(self.process.wait, 2.0)
        return await self.ended()

    def kill(self) -> None:
        """Ends the program from outside, without a word."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)

    async def ended(self) -> int:
        """The exit code, once the program has ended and all it showed was read."""
        assert self.process is not None
        async with asyncio.timeout(PATIENCE_S):
            code = await asyncio.to_thread(self.process.wait)
        # What it wrote last is read in the next turns of the event loop.
        for _ in range(5):
            await asyncio.sleep(0)
            self._read_rest()
        return code

    def _read_rest(self) -> None:
        os.set_blocking(self._ours, False)
        with contextlib.suppress(OSError):
            while data := os.read(self._ours, 65536):
                self.shown += _COLOURS.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
