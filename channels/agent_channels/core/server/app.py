"""`serve`: one process, one host, one channel. Leaving the block is the shutdown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import anyio

from agent_channels import __version__
from agent_channels.core import log, tracing
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ChannelError, ConfigError, StoreError
from agent_channels.core.host.inbox_address import inbox_address
from agent_channels.core.host.protocol import REQUEST
from agent_channels.core.limits import limits_in_force, remedy, system_fault
from agent_channels.core.process import restarts
from agent_channels.core.runtime.runtime import open_runtime
from agent_channels.core.runtime.status import facts, restarts_fact
from agent_channels.core.scheduling import Backoff
from agent_channels.core.server.config_watch import ConfigWatch
from agent_channels.core.server.current_runtime import CurrentRuntime
from agent_channels.core.server.exit import before_leaving, leave
from agent_channels.core.server.handshake import Handshake
from agent_channels.core.server.hook_calls import HookCalls
from agent_channels.core.server.permission_relay import PermissionRelay, PermissionRequest
from agent_channels.core.server.plugin_link import PluginLink
from agent_channels.core.server.protocol import McpConversation
from agent_channels.core.server.session import McpSession
from agent_channels.core.server.stdin import StdinLines
from agent_channels.core.server.stdio import HostWriter
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.server.tools.table import tool_table
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.log_file import LogFileHandler, log_command
from agent_channels.core.store.database import Store
from agent_channels.core.store.faults import VALUE_FAULTS, unreadable_value

__all__ = ["run"]

logger = logging.getLogger(__name__)
# What is being sent when a setting changes is finished first, for at most so long.
FINISH_WITHIN_S = 60.0


def run(channel: Channel, handshake: Handshake, channels: Sequence[str]) -> NoReturn:
    """Serve until the host closes stdin or a signal comes, then leave the process at once.

    `channels`: the names of all channels that a project may have.
    """
    env = Environment(channel.name)
    log.configure("INFO", LogFileHandler(env.state_dir, "serve"))
    tracing.configure(__version__)
    if tracing.is_on():
        before_leaving(tracing.flush)
    if limits := limits_in_force():
        logger.warning("%s", limits)
    if again := restarts():
        logger.warning("the server ended (%s) and was started again, %d times so far", again.why, again.times)
    try:
        anyio.run(_serve, channel, env, handshake, channels)
    except* BaseException as errors:  # noqa: BLE001 - the process ends, with the reason
        _log_failure("the server", errors)
        leave(code=1)
    leave()


async def _serve(channel: Channel, env: Environment, handshake: Handshake, channels: Sequence[str]) -> None:
    # First: what it answers goes to the standard output that is claimed then.
    handshake.stop_listening()
    server, stdout = _Server(channel, env, handshake.conversation, channels), Stdout.claimed()
    stdout.leave_at_hangup()
    async with anyio.create_task_group() as group:
        group.start_soon(_write, stdout, server)
        group.start_soon(server.current.run)
        group.start_soon(server.keep_open)
        if server.link is not None:
            group.start_soon(server.link.run)
        try:
            await server.session.serve(StdinLines(handshake.source, handshake.replay), HostWriter(stdout))
        except Exception as error:  # noqa: BLE001 - the process ends, with the reason
            _log_failure("the session", error)
            leave(code=1)
        # The host closed its end. Leaving these blocks would wait for a thread that may block on a full pipe.
        server.host_left()
        leave()


async def _write(stdout: Stdout, server: _Server) -> None:
    try:
        await stdout.run()
    except ConnectionError:
        # The host died: nobody reads what we write.
        server.host_left()
        leave()


class _Server:
    """The session, and the bot behind it."""

    def __init__(
        self, channel: Channel, env: Environment, conversation: McpConversation, channels: Sequence[str]
    ) -> None:
        self.channel, self.env, self._conversation, self._channels = channel, env, conversation, channels
        self.current = CurrentRuntime(lambda: self.session.client())  # noqa: PLW0108 - made below
        self.hooks = HookCalls(self.current)
        inbox = inbox_address(env.environ)
        self.link = PluginLink(channel.name, inbox, self.hooks) if inbox and inbox.answers else None
        self.session = McpSession(
            conversation,
            tool_table(self.current, self._status, channel.formats),
            {REQUEST: (PermissionRequest, self._relay)},
            self.hooks.answer,
        )

    def host_left(self) -> None:
        """Record that the host closed its end, if the bot is open."""
        if self.current.open is not None:
            self.current.hand_on_answers()
            self.current.open.tracker.host_left()

    # ---- opening the bot

    async def keep_open(self) -> None:
        """Open the bot once the host is initialised, and again whenever a setting changed or a fault was fixed."""
        await self.session.initialized.wait()
        backoff = Backoff(first_s=1.0, cap_s=10.0)
        while True:
            watch = ConfigWatch(self.channel, self.env)
            pause_s = await self._run_once(watch, backoff)
            if self.current.problem:
                self.current.settle()
            if pause_s is None:
                await watch.until_touched()
            else:
                await anyio.sleep(pause_s)
            self.env = Environment(self.channel.name, self.env.environ)

    async def _run_once(self, watch: ConfigWatch, backoff: Backoff) -> float | None:
        """Run the bot until it ends; return after how many seconds to open it again, None: once a file changes."""
        pause_s: float | None = 0.0
        try:
            async with (
                open_runtime(self.channel, self.env, self.session.push, self.session.client) as runtime,
                anyio.create_task_group() as group,
            ):
                group.start_soon(PermissionRelay(runtime.context).run)
                if self.link is not None:
                    group.start_soon(self.link.stop_turns, runtime)
                self.current.opened(runtime)
                group.start_soon(runtime.run, self._conversation.initialized_at)
                context = runtime.context
                watchers = context.services.store.watchers
                await watch.until_changed(
                    context.env.token(),
                    context.settings,
                    self._report,
                    context.wakeups.settings_due,
                    lambda: watchers.hears,
                )
                with anyio.move_on_after(FINISH_WITHIN_S):
                    while runtime.sender.busy:  # noqa: ASYNC110 - rare, and over soon
                        await anyio.sleep(0.05)
                self.current.closed()
                group.cancel_scope.cancel()
        except* ConfigError as errors:
            pause_s = None
            self._fail(_first(errors), logging.WARNING)
        except* StoreError as errors:
            pause_s = backoff.next()
            self._fail(_first(errors), logging.ERROR)
        except* OSError as errors:
            pause_s = backoff.next()
            self._fail(_unusable(errors, self.env.state_dir), logging.ERROR)
        except* Exception as errors:
            pause_s = backoff.next()
            error = _leaf(errors)
            if reason := system_fault(error):
                self._fail(reason, logging.ERROR)
            elif isinstance(error, VALUE_FAULTS):
                self._fail(_unforeseen(error, self.env.state_dir), logging.ERROR)
                logger.debug("the channel failed", exc_info=error)
            else:
                more = log_command(self.channel.name)
                self.current.problem = f"the channel failed unexpectedly and is opened again; `{more}` says more"
                logger.exception("the channel failed")
        finally:
            self.current.closed()
        return pause_s

    def _report(self, problem: str) -> None:
        self.current.problem = problem

    def _fail(self, problem: str, level: int) -> None:
        if problem != self.current.problem:
            logger.log(level, "%s", problem)
        self.current.problem = problem

    # ---- what the host asks for

    async def _relay(self, request: PermissionRequest) -> None:
        try:
            runtime = await self.current.get()
            await PermissionRelay(runtime.context, self._channels).ask(request)
        except ChannelError as error:
            # The host has its own dialog.
            logger.warning("a permission request is not relayed: %s", error)

    def _status(self) -> dict[str, Any]:
        from agent_channels.core.doctor.examine import glance

        known = self._facts()
        env = self.current.open.context.env if self.current.open is not None else self.env
        findings = glance(self.channel, env, known)
        known["restarts"] = restarts_fact(restarts())
        return {**known, "findings": findings, "more": f"`channels doctor {self.channel.name}` looks deeper"}

    def _facts(self) -> dict[str, Any]:
        name, state_dir = self.channel.name, self.env.state_dir
        try:
            if (runtime := self.current.open) is not None:
                context = runtime.context
                known = facts(name, state_dir, context.services, context.bot_id, self.current.problem or None)
                mode, why = runtime.mode()
                return {**known, "mode": {"name": mode, "why": why}, "host": self.session.client()}
            with Store.open_existing(state_dir) as store:
                return facts(name, state_dir, Services.of(store), None, self.current.problem)
        except ChannelError as error:
            return {"channel": name, "state_dir": str(state_dir), "problem": str(error)}
        except VALUE_FAULTS as error:
            problem = str(unreadable_value(state_dir / "channel.db", error))
            return {"channel": name, "state_dir": str(state_dir), "problem": problem}


def _unforeseen(error: BaseException, folder: Path) -> str:
    """Return the sentence about an error that comes from a value: one in the database, or a fault of ours."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    return (
        f"the channel failed unexpectedly ({type(error).__name__}: {str(error)[:200]}{place}) and is opened again; if "
        f"that goes on, {folder / 'channel.db'} may hold a value that this program did not write: move it away to "
        "start afresh (people have to pair again)"
    )


def _log_failure(what: str, error: BaseException) -> None:
    """Log why something ended: what the system did as a sentence, anything else with its traceback."""
    if reason := system_fault(_leaf(error)):
        logger.error("%s failed: %s", what, reason)
    else:
        logger.error("%s failed", what, exc_info=error)


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _first(errors: BaseExceptionGroup[ChannelError]) -> str:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else str(first)


def _unusable(errors: BaseExceptionGroup[OSError], folder: Path) -> str:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _unusable(first, folder)
    return f"{first.filename or folder} cannot be used: {first.strerror or first}; {remedy(first)}"
