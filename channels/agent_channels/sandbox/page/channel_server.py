"""A channel server of the chat page: the real program over real stdio, which can be killed and started again."""

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
from agent_channels.sandbox.agent.processes import clean_environ, program
from agent_channels.sandbox.agent.scripted_agent import ScriptedAgent
from agent_channels.sandbox.agent.turn import AgentSession
from agent_channels.sandbox.page.scene import SceneServer

__all__ = ["ChannelServer"]

# Long enough for two servers to start at once on a busy machine.
START_TIMEOUT_S = 60.0


@dataclass
class _Run:
    """One process; `began` and `ended` in epoch seconds."""

    pid: int
    began: float
    ended: float | None = None


class ChannelServer:
    """One channel's server with the scripted agent; at most one process at a time."""

    def __init__(self, server: SceneServer, folder: Path, settings: Mapping[str, str]) -> None:
        """`folder` is the sandbox's. `settings`: the variables that connect the server to its sandbox."""
        self.channel, self.project = server.channel, server.project
        self.log = folder / f"{server.key}.log"
        self._server, self._folder, self._settings = server, folder, settings
        self._runs: list[_Run] = []
        self._host: ScriptedHost | None = None
        self._state, self._error = "stopped", ""
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Start the server unless it runs. Raises `ChannelError` when it does not answer."""
        async with self._lock:
            if self._host is not None:
                return
            self._set_state("starting")
            # The host's hooks hand messages over, also in the middle of the agent's work.
            environ = {**clean_environ(self._folder), **self._settings, "CHANNELS_MODE": "hook"}
            session = AgentSession.begin(self.channel, environ, self._server.folder, self.project)
            command = [*program(), "serve", self.channel]
            host = await ScriptedHost.start(command, session.environ, self._server.folder, self.log, lambda _: None)
            self._host = host
            run = _Run(host.pid, time.time())
            self._runs.append(run)
            self._task = asyncio.create_task(self._supervise(host, run, session))
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await host.shake_hands()
            except (TimeoutError, ChannelError) as error:
                await host.kill()
                await self._wait_for_end()
                reason = str(error) or f"no answer within {START_TIMEOUT_S:.0f} s"
                self._set_state("stopped", f"it did not start: {reason}")
                raise ChannelError(f"`channels serve {self.channel}` did not start: {reason}") from error
            self._set_state("running")

    async def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        async with self._lock:
            if self._host is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._host.process.kill()
                await self._wait_for_end()

    async def close(self) -> None:
        """End the server as a host does that exits."""
        async with self._lock:
            if self._host is not None:
                await self._host.close()
                await self._wait_for_end()

    def as_dict(self) -> dict[str, Any]:
        """Return the server as the page shows it: {channel, project, state, pid, error}."""
        run = self._runs[-1] if self._runs else None
        pid = run.pid if run and run.ended is None else None
        named = {"channel": self.channel, "project": self.project}
        return {**named, "state": self._state, "pid": pid, "error": self._error}

    def pid_at(self, at: float | None) -> int | None:
        """Return the process that ran at a time, None when there was none."""
        return next((run.pid for run in self._runs if at and run.began <= at <= (run.ended or at)), None)

    async def _wait_for_end(self) -> None:
        if self._task is not None:
            await self._task

    async def _supervise(self, host: ScriptedHost, run: _Run, session: AgentSession) -> None:
        """Let the agent act until the process ends, in whatever way it ends."""
        acting = asyncio.create_task(ScriptedAgent(host, session).run())
        code = await host.process.wait()
        run.ended = time.time()
        self._host = None
        self._set_state("stopped", "killed" if code == -9 else f"ended with exit code {code}")
        try:
            async with asyncio.timeout(1):
                await acting
        except TimeoutError:
            acting.cancel()
        await host.kill()

    def _set_state(self, state: str, error: str = "") -> None:
        self._state, self._error = state, error
