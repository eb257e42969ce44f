"""What the demo runs on: a temporary folder, an environment without anything of the user's, and the real program."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from agent_channels.core.log import redact
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.agent.host import HandshakeResult, ScriptedHost, StepFailed
from agent_channels.sandbox.demo.script import decide
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["STEP_S", "Stage", "clean_environ", "made_up_token", "program", "run_program"]

T = TypeVar("T")

STEP_S = 15.0
LOG_LINES = 5
# Names by which the user's own bots, hosts and proxies could reach in.
_FOREIGN = ("TELEGRAM_", "DISCORD_", "CHANNELS_", "CLAUDE")
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


def made_up_token() -> str:
    """A bot's token as BotFather writes one; another bot each time, so that two sandboxes never meet at one lock."""
    return f"7{secrets.randbelow(10**9):09}:AAH{secrets.token_hex(16)}"


def program() -> list[str]:
    """How to run `channels` from anywhere: its script, or this interpreter where no script was installed."""
    me = Path(sys.argv[0])
    if me.stem == "channels" and me.is_file():
        return [str(me.absolute())]
    script = shutil.which("channels", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-c", "from agent_channels.cli.main import main; main()"]


def clean_environ(folder: Path) -> dict[str, str]:
    """The environment of what a sandbox starts: the user's without their bots, hosts and proxies; locks in `folder`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.upper() not in _PROXIES
    }
    # The scripted host shows what is pushed, and nothing else about it tells the server so.
    return {**kept, "CHANNELS_MODE": "push", "XDG_RUNTIME_DIR": str(folder / "run")}


async def run_program(words: Sequence[str], environ: Mapping[str, str], folder: Path, within_s: float = STEP_S) -> str:
    """Runs `channels` with these words to its end; what it printed.

    Raises `StepFailed` when it fails, or does not end in time.
    """
    shown = f"`channels {' '.join(words)}`"
    process = await asyncio.create_subprocess_exec(
        *program(), *words, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, env=dict(environ), cwd=folder
    )
    try:
        async with asyncio.timeout(within_s):
            out, errors = await process.communicate()
    except TimeoutError:
        raise StepFailed(f"{shown} did not end within {within_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StepFailed(f"{shown} failed with exit code {process.returncode}: {errors.decode().strip()}")
    return out.decode().strip()


class Stage:
    """The sandbox, a folder, and at most one running server. Leaving the block ends and removes all of it."""

    def __init__(self, tg: TelegramSandbox, *, step_s: float = STEP_S) -> None:
        """`step_s`: how long a thing that must happen may take."""
        self.tg = tg
        self.step_s = step_s
        self._temp = tempfile.TemporaryDirectory(prefix="channels-sandbox-", ignore_cleanup_errors=True)
        self.folder = Path(self._temp.name)
        self.state_dir = self.folder / "state"
        self.log = self.folder / "server.log"
        self._host: ScriptedHost | None = None

    async def __aenter__(self) -> Self:
        (self.folder / "run").mkdir(mode=0o700)
        self.log.touch()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            await self.dismiss()
        finally:
            self._temp.cleanup()

    # --- the server and its host

    @property
    def settings(self) -> dict[str, str]:
        """What makes a server use this sandbox: the `env` of an `.mcp.json` entry."""
        return {
            "TELEGRAM_API_ROOT": self.tg.root,
            "TELEGRAM_BOT_TOKEN": self.tg.token,
            "TELEGRAM_STATE_DIR": str(self.state_dir),
            "CHANNELS_CLAIM": "always",
        }

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of what the demo starts."""
        return {**clean_environ(self.folder), **self.settings}

    @property
    def host(self) -> ScriptedHost:
        """The host that is attached now. Raises `StepFailed` when there is none."""
        if self._host is None:
            raise StepFailed("no server is running")
        return self._host

    async def attach(self) -> HandshakeResult:
        """Starts the real server with the scripted agent in front of it."""
        command = [*program(), "serve", "telegram"]
        self._host = await ScriptedHost.start(command, self.environ, self.folder, self.log, decide)
        return await self.within("the server's handshake", self._host.shake_hands())

    async def kill(self) -> int:
        """Ends the server with SIGKILL; its exit code."""
        host, self._host = self.host, None
        return await host.kill()

    async def dismiss(self) -> None:
        """Ends agent and server, if they run."""
        if self._host is not None:
            host, self._host = self._host, None
            await host.close()

    # --- the operator's shell

    async def run(self, *words: str) -> str:
        """Runs `channels` with these words to its end; what it printed. Raises `StepFailed` when it fails."""
        return await run_program(words, self.environ, self.folder, self.step_s)

    def journal(self) -> dict[str, int]:
        """The inbox's counts, as they are on disk now."""
        with Store.open(self.state_dir) as store:
            return Services.of(store).inbox.counts()

    # --- waiting

    async def within(self, what: str, work: Awaitable[T]) -> T:
        """The result of `work`. Raises `StepFailed` naming `what`, with the end of the server's log."""
        try:
            async with asyncio.timeout(self.step_s):
                return await work
        except TimeoutError:
            raise StepFailed(f"{what} did not happen within {self.step_s:.0f} s{self._log_tail()}") from None
        except StepFailed as error:
            raise StepFailed(f"{what} did not happen: {error}{self._log_tail()}") from None

    async def take(self, what: str, queue: asyncio.Queue[T | None]) -> T:
        """The next of what the host collects. Raises `StepFailed` when the server is gone, too."""
        found = await self.within(what, queue.get())
        if found is None:
            raise StepFailed(f"{what} did not happen: the server ended by itself{self._log_tail()}")
        return found

    def _log_tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return redact("\n".join(["; the server's log ends with:", *(f"  {line}" for line in lines)])) if lines else ""
