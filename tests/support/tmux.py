"""A program in a terminal of tmux: of a size, with what scrolled away, and lines that wrap as on a real one."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import uuid
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from wire_host import LOOK_EVERY_S

__all__ = ["Tmux"]


class Tmux:
    """One program in a tmux server of its own, which ends with the block."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], width: int = 80, height: int = 50
    ) -> None:
        """`env` is the program's whole environment."""
        self._command, self._cwd, self._env = command, cwd, env
        self._size = ("-x", str(width), "-y", str(height))
        self._socket = f"ac-{uuid.uuid4().hex[:8]}"

    async def __aenter__(self) -> Self:
        env = [f"{name}={value}" for name, value in self._env.items()]
        # tmux itself hands its own environment on; `env -i` keeps it out.
        await self._tmux(
            "-f", "/dev/null", "new-session", "-d", *self._size, "-s", "host", "-c", str(self._cwd),
            "env", "-i", *env, *self._command,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tmux("kill-server")

    async def pid(self) -> int:
        """The program's process."""
        return int(await self._tmux("list-panes", "-t", "host", "-F", "#{pane_pid}"))

    async def text(self) -> str:
        """What the terminal shows now."""
        return await self._tmux("capture-pane", "-p", "-t", "host")

    async def history(self, *, joined: bool = False) -> str:
        """What the terminal has shown, with what scrolled away; `joined`: lines that wrapped are one."""
        return await self._tmux("capture-pane", "-p", *(["-J"] if joined else []), "-S", "-", "-t", "host")

    async def clear(self) -> None:
        """Forgets what scrolled away."""
        await self._tmux("clear-history", "-t", "host")

    async def type(self, text: str) -> None:
        """Types a line and presses Enter."""
        await self._tmux("send-keys", "-t", "host", "-l", text)
        await self._tmux("send-keys", "-t", "host", "Enter")

    async def press(self, *keys: str) -> None:
        """Presses keys by tmux's names for them."""
        await self._tmux("send-keys", "-t", "host", *keys)

    async def shows(self, text: str, timeout: float = 30) -> str:
        """Waits until the terminal shows a text; returns the whole screen. Raises TimeoutError with the screen."""
        seen = ""
        try:
            async with asyncio.timeout(timeout):
                while text not in (seen := await self.text()):  # noqa: ASYNC110 - a terminal rings no bell
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise TimeoutError(f"the terminal does not show {text!r} but:\n{seen}") from None
        return seen

    async def _tmux(self, *arguments: str) -> str:
        tmux = shutil.which("tmux") or "tmux"
        process = await asyncio.create_subprocess_exec(
            tmux, "-u", "-L", self._socket, *arguments, stdout=PIPE, stderr=subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return out.decode(errors="replace")
