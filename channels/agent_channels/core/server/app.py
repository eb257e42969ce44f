"""`serve`: one process, one host, one channel. Leaving the block is the shutdown."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NoReturn

import anyio
from mcp.server.connection import Connection

from agent_channels import __version__
from agent_channels.core import log
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ChannelError, ConfigError, Refused, StoreError
from agent_channels.core.host.protocol import REQUEST
from agent_channels.core.runtime.runtime import ChannelRuntime, open_runtime
from agent_channels.core.runtime.status import facts
from agent_channels.core.scheduling import Backoff, wait_for_tick
from agent_channels.core.server.exit import leave
from agent_channels.core.server.handshake import Handshake
from agent_channels.core.server.instructions import instructions
from agent_channels.core.server.permission_relay import PermissionRequest, relay
from agent_channels.core.server.session import McpSession
from agent_channels.core.server.stdin import StdinLines
from agent_channels.core.server.stdio import HostReader, HostWriter
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.server.tools.table import tool_table
from agent_channels.core.server.tools.wait_for_messages import LISTEN
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store

__all__ = ["run"]

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
AGAIN_EVERY_S = 15.0
# What is being sent when a setting changes is sent to its end first, at most for so long.
FINISH_WITHIN_S = 60.0
LINE_WITHIN_S = 20.0


def run(channel: Channel, opening: Handshake) -> NoReturn:
    """Serves until the host closes stdin or a signal comes, then leaves the process at once."""
    log.configure()
    try:
        anyio.run(_serve, channel, opening)
    except* BaseException:
        logger.exception("the server failed")
        leave(code=1)
    leave()


async def _serve(channel: Channel, opening: Handshake) -> None:
    server, out = _Server(channel, Environment(channel.name)), Stdout.claimed()
    opening.started = True
    async with anyio.create_task_group() as group:
        group.start_soon(_written, out)

        def start(connection: Connection) -> None:
            group.start_soon(server.tend, connection)

        try:
            lines = StdinLines(opening.source, opening.replay)
            await server.session.serve(HostReader(lines, out), HostWriter(out), start, opening.answered)
        except Exception:
            logger.exception("the session failed")
            leave(code=1)
        # The host closed its end. Leaving these blocks would wait for a thread that may block on a full pipe.
        leave()


async def _written(out: Stdout) -> None:
    try:
        await out.run()
    except ConnectionError:
        # The host died: nobody reads what we write.
        leave()


class _Server:
    """The session, and the line behind it as soon and as long as there is one."""

    def __init__(self, channel: Channel, env: Environment) -> None:
        self.channel, self.env = channel, env
        self.line: ChannelRuntime | None = None
        self.problem = "starting"
        self._settled = anyio.Event()
        tools = tool_table(self._line, self._facts, channel.formats)
        self.session = McpSession(
            channel.name,
            __version__,
            instructions(channel.name),
            tools,
            {"listen": ("Keep waiting for messages from people and answering them", LISTEN)},
            {REQUEST: (PermissionRequest, self._relay)},
        )

    async def tend(self, connection: Connection) -> None:
        """Opens the line once the host is initialised, and again whenever what was wrong has been mended."""
        await connection.initialized.wait()
        backoff = Backoff(first_s=1.0, cap_s=10.0)
        while True:
            stamp = self._stamp()
            pause = await self._once(backoff)
            if self.problem:
                self._settled.set()
            await self._mended(stamp, pause)

    async def _once(self, backoff: Backoff) -> float | None:
        """Runs the line until it ends; returns after how many seconds to open it again, None for when files change."""
        pause: float | None = 0.0
        try:
            async with (
                open_runtime(self.channel, self.env, self.session.push, self.session.client) as line,
                anyio.create_task_group() as group,
            ):
                self.line, self.problem = line, ""
                self._settled.set()
                group.start_soon(line.run)
                await self._changed(line)
                with anyio.move_on_after(FINISH_WITHIN_S):
                    while line.sender.busy:  # noqa: ASYNC110 - rare, and over soon
                        await anyio.sleep(0.05)
                self._unsettle()
                group.cancel_scope.cancel()
        except* ConfigError as errors:
            problem, pause = _first(errors), None
            if problem != self.problem:
                logger.warning("%s", problem)
            self.problem = problem
        except* StoreError as errors:
            problem, pause = _first(errors), backoff.next()
            if problem != self.problem:
                logger.error("%s", problem)  # noqa: TRY400 - the sentence is the finding
            self.problem = problem
        except* OSError as errors:
            self.problem, pause = _unusable(errors, self.env.state_dir), backoff.next()
            logger.error("%s", self.problem)  # noqa: TRY400 - the sentence is the finding
        except* Exception:
            pause = backoff.next()
            self.problem = "the line failed unexpectedly and is opened again; the server's log says more"
            logger.exception("the line failed")
        finally:
            self._unsettle()
        return pause

    def _unsettle(self) -> None:
        """Tool calls wait for the next line from now on, unless it gets known why there is none."""
        self.line = None
        if self._settled.is_set():
            self._settled = anyio.Event()

    def _stamp(self) -> list[int]:
        return [_changed_at(self.env.state_dir / name) for name in (".env", "config.yaml")]

    async def _changed(self, line: ChannelRuntime) -> None:
        """Returns when the token or a setting is another one than the line was opened with."""
        stamp = self._stamp()
        while True:
            await wait_for_tick(LOOK_EVERY_S)
            if self._stamp() == stamp:
                continue
            stamp, env = self._stamp(), Environment(self.channel.name, self.env.environ)
            try:
                if env.token() == line.env.token() and load(self.channel.settings, env) == line.settings:
                    self.problem = ""
                    continue
            except ConfigError as error:
                # Somebody may be away with only a phone: what was right goes on, and the mistake is told.
                self.problem = f"{error}; the settings from before stay in force"
                logger.warning("%s", self.problem)
                continue
            return

    async def _mended(self, stamp: list[int], pause_s: float | None) -> None:
        if pause_s is not None:
            await anyio.sleep(pause_s)
        else:
            # A folder that was mended changes none of these files: hence the end.
            with anyio.move_on_after(AGAIN_EVERY_S):
                while self._stamp() == stamp:  # noqa: ASYNC110 - another program's files ring no bell
                    await anyio.sleep(LOOK_EVERY_S)
        self.env = Environment(self.channel.name, self.env.environ)

    async def _line(self) -> ChannelRuntime:
        if not self._settled.is_set():
            with anyio.move_on_after(LINE_WITHIN_S):
                await self._settled.wait()
        if self.line is None:
            raise Refused(self.problem)
        return self.line

    async def _relay(self, request: PermissionRequest) -> None:
        if self.line is not None:
            await relay(self.line, request)

    def _facts(self) -> dict[str, Any]:
        from agent_channels.core.doctor.examine import glance

        known = self._known()
        env = self.line.env if self.line is not None else self.env
        found = glance(self.channel, env, known)
        return {**known, "findings": found, "more": f"`channels doctor {self.channel.name}` looks deeper"}

    def _known(self) -> dict[str, Any]:
        try:
            if self.line is not None:
                line = self.line
                known = facts(self.channel.name, self.env.state_dir, line.store, line.bot_id, self.problem or None)
                name, why = line.mode()
                if line.reader is not None and (latest := line.health.latest()):
                    known["reader"] |= {"state": latest[0], "error": latest[1] or None}
                return {**known, "mode": {"name": name, "why": why}, "host": self.session.client()}
            with Store.open(self.env.state_dir) as store:
                return facts(self.channel.name, self.env.state_dir, store, None, self.problem)
        except ChannelError as error:
            return {"channel": self.channel.name, "state_dir": str(self.env.state_dir), "problem": str(error)}


def _first(errors: BaseExceptionGroup[ChannelError]) -> str:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else str(first)


def _unusable(errors: BaseExceptionGroup[OSError], folder: Path) -> str:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _unusable(first, folder)
    return f"{first.filename or folder} cannot be used: {first.strerror or first}; mend its permissions"


def _changed_at(path: Path) -> int:
    """When a file was last changed, in nanoseconds; 0 when there is none, or none that can be looked at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
