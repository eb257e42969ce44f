"""Everything the demo needs: a temporary folder, an environment of its own, the real server and its scripted host."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from agent_channels.core.log import redact
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.agent.host import HandshakeResult, ScriptedHost, StepFailed
from agent_channels.sandbox.agent.processes import clean_environ, program, run_program
from agent_channels.sandbox.agent.turn import AgentSession
from agent_channels.sandbox.demo.script import decide
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["Stage"]

T = TypeVar("T")

STEP_TIMEOUT_S = 15.0
LOG_LINES = 5


class Stage:
    """The sandbox, a folder, and at most one running server. Leaving the block ends and removes all of it."""

    def __init__(self, tg: TelegramSandbox, *, step_timeout_s: float = STEP_TIMEOUT_S) -> None:
        """`step_timeout_s`: how long each step may take."""
        self.tg = tg
        self.step_timeout_s = step_timeout_s
        self._temp = tempfile.TemporaryDirectory(prefix="channels-sandbox-", ignore_cleanup_errors=True)
        self.folder = Path(self._temp.name)
        self.state_dir = self.folder / "state"
        self.log = self.folder / "server.log"
        self._host: ScriptedHost | None = None
        self._session: AgentSession | None = None

    async def __aenter__(self) -> Self:
        (self.folder / "run").mkdir(mode=0o700)
        self.log.touch()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            await self.stop_server()
        finally:
            self._temp.cleanup()

    # --- the server and its host

    @property
    def settings(self) -> dict[str, str]:
        """The `env` of an `.mcp.json` entry that makes a server use this sandbox."""
        return {
            "TELEGRAM_API_ROOT": self.tg.root,
            "TELEGRAM_BOT_TOKEN": self.tg.token,
            "TELEGRAM_STATE_DIR": str(self.state_dir),
            "CHANNELS_CLAIM": "always",
            "CHANNELS_DATA_DIR": str(self.folder / "data"),
        }

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of the programs that the demo starts."""
        return {**clean_environ(self.folder), **self.settings}

    @property
    def host(self) -> ScriptedHost:
        """The attached host. Raises `StepFailed` when there is none."""
        if self._host is None:
            raise StepFailed("no server is running")
        return self._host

    @property
    def begun_session(self) -> AgentSession:
        """The session of a host whose hooks hand messages over. Raises `StepFailed` when there is none."""
        if self._session is None:
            raise StepFailed("the host runs no hooks")
        return self._session

    async def attach(self, *, hooks: bool = False) -> HandshakeResult:
        """Start the real server with the scripted agent, and shake hands. Raises `StepFailed`.

        `hooks`: nothing is pushed; the host's hooks hand messages over, in the session that begins here.
        """
        command, environ = [*program(), "serve", "telegram"], self.environ
        if hooks:
            # The work is shorter than anybody's: its progress is shown soon.
            (self.state_dir / "config.yaml").write_text("progress_after_s: 0.5\n", encoding="utf-8")
            self._session = AgentSession.begin("telegram", {**environ, "CHANNELS_MODE": "hook"}, self.folder)
            environ = dict(self._session.environ)
        self._host = await ScriptedHost.start(command, environ, self.folder, self.log, decide)
        return await self.within("the server's handshake", self._host.shake_hands())

    async def kill_server(self) -> int:
        """End the server with SIGKILL; return its exit code."""
        host, self._host = self.host, None
        return await host.kill()

    async def stop_server(self) -> None:
        """End the server and its agent, if they run."""
        if self._host is not None:
            host, self._host = self._host, None
            await host.close()

    # --- the operator

    async def run(self, *arguments: str) -> str:
        """Run `channels` with these arguments and return its output. Raises `StepFailed` when it fails."""
        return await run_program(arguments, self.environ, self.folder, self.step_timeout_s)

    def journal_counts(self) -> dict[str, int]:
        """Return the inbox's counts, as they are on disk now."""
        with Store(self.state_dir / "channel.db") as store:
            return Services.of(store).inbox.counts()

    # --- waiting

    async def within(self, what: str, work: Awaitable[T]) -> T:
        """Return the result of `work`. Raises `StepFailed` naming `what`, with the end of the server's log."""
        try:
            async with asyncio.timeout(self.step_timeout_s):
                return await work
        except TimeoutError:
            raise StepFailed(f"{what} did not happen within {self.step_timeout_s:.0f} s{self._log_tail()}") from None
        except StepFailed as error:
            raise StepFailed(f"{what} did not happen: {error}{self._log_tail()}") from None

    async def take(self, what: str, queue: asyncio.Queue[T | None]) -> T:
        """Return the next item of one of the host's queues. Raises `StepFailed`, also when the server has ended."""
        item = await self.within(what, queue.get())
        if item is None:
            raise StepFailed(f"{what} did not happen: the server ended by itself{self._log_tail()}")
        return item

    def _log_tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return redact("\n".join(["; the server's log ends with:", *(f"  {line}" for line in lines)])) if lines else ""
