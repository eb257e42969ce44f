"""A channel server of the chat page: the real program over real stdio, that can be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.agent.host import ScriptedHost
from agent_channels.sandbox.agent.scripted_agent import Agent
from agent_channels.sandbox.demo.stage import clean_environ, program

__all__ = ["ChannelServer"]

# A busy machine takes long to start two servers at once.
START_S = 60.0


@dataclass
class _Run:
    """One process: from when until when (epoch seconds)."""

    pid: int
    began: float
    ended: float | None = None


class ChannelServer:
    """One channel's server with the scripted agent in front of it; at most one process at a time."""

    def __init__(self, channel: str, folder: Path, settings: Mapping[str, str]) -> None:
        """`settings`: what leads the server to its sandbox."""
        self.channel = channel
        self.log = folder / f"{channel}.log"
        self._folder, self._settings = folder, settings
        self._runs: list[_Run] = []
        self._host: ScriptedHost | None = None
        self._state, self._error = "stopped", ""
        self._task: asyncio.Task[None] | None = None
        self._change = asyncio.Lock()

    async def start(self) -> None:
        """Starts the server unless it runs. Raises `ChannelError` when it does not answer."""
        async with self._change:
            if self._host is not None:
                return
            self._say("starting")
            environ = {**clean_environ(self._folder), **self._settings}
            command = [*program(), "serve", self.channel]
            host = await ScriptedHost.start(command, environ, self._folder, self.log, lambda _: None)
            self._host = host
            run = _Run(host.pid, time.time())
            self._runs.append(run)
            self._task = asyncio.create_task(self._live(host, run))
            try:
                async with asyncio.timeout(START_S):
                    await host.shake_hands()
            except (TimeoutError, ChannelError) as error:
                await host.kill()
                await self._gone()
                reason = str(error) or f"no answer within {START_S:.0f} s"
                self._say("stopped", f"it did not start: {reason}")
                raise ChannelError(f"`channels serve {self.channel}` did not start: {reason}") from error
            self._say("running")

    async def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        async with self._change:
            if self._host is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._host.process.kill()
                await self._gone()

    async def close(self) -> None:
        """Ends it as a host does that goes away."""
        async with self._change:
            if self._host is not None:
                await self._host.close()
                await self._gone()

    def shown(self) -> dict[str, Any]:
        """The server as the page shows it."""
        run = self._runs[-1] if self._runs else None
        pid = run.pid if run and run.ended is None else None
        return {"state": self._state, "pid": pid, "error": self._error, "starts": len(self._runs)}

    def pid_at(self, at: float | None) -> int | None:
        """The process that lived then."""
        return next((r.pid for r in self._runs if at and r.began <= at <= (r.ended or at)), None)

    async def _gone(self) -> None:
        if self._task is not None:
            await self._task

    async def _live(self, host: ScriptedHost, run: _Run) -> None:
        """The agent acts until the process ends, however it ends."""
        acting = asyncio.create_task(Agent(host).run())
        code = await host.process.wait()
        run.ended = time.time()
        self._host = None
        self._say("stopped", "killed" if code == -9 else f"ended with exit code {code}")
        try:
            async with asyncio.timeout(1):
                await acting
        except TimeoutError:
            acting.cancel()
        await host.kill()

    def _say(self, state: str, error: str = "") -> None:
        self._state, self._error = state, error
