"""What every fake platform is made of: its state with a clock and a record of the bot's calls, and its HTTP server."""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from aiohttp import web

from agent_channels.page.guard import new_secret, refuse_other_sites
from agent_channels.sandbox.faults import Faults

__all__ = ["DEFAULT_TIMEOUT_S", "BotLog", "Call", "Sandbox", "SandboxState"]

# Long enough for the bot's program to start on a busy machine.
DEFAULT_TIMEOUT_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One API call of the bot.

    `method` and `params` are as the bot sent them, uploaded files included in `params`. `at` is monotonic time.
    `response_code` is the HTTP status, or 0 when the bot got no complete answer.
    """

    method: str
    params: dict[str, Any]
    at: float
    response_code: int


class BotLog(Protocol):
    """A chat record that lists the bot's messages: `bot_message_ids` in order, `next_unread` an index into them."""

    messages: dict[int, dict[str, Any]]
    bot_message_ids: list[int]
    next_unread: int


class SandboxState:
    """Everything a fake platform knows, in memory. Every change wakes the callers of `wait_for`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.changes = 0
        self._advanced_s = 0.0
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Return the sandbox's time: Unix seconds plus everything `advance` added."""
        return time.time() + self._advanced_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward, which makes everything with an age older."""
        self._advanced_s += seconds
        self.changed()

    def changed(self) -> None:
        """Count a change and wake the callers of `wait_for`."""
        self.changes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = DEFAULT_TIMEOUT_S) -> T:
        """Return the first result of `predicate` that is neither None nor False; it is tried again at every change.

        Raises TimeoutError naming the bot's last calls.
        """
        try:
            async with asyncio.timeout(timeout):
                while (result := predicate()) is None or result is False:
                    await self._changed.wait()
                return result
        except TimeoutError:
            last = ", ".join(f"{call.method} {call.response_code}" for call in self.calls[-8:]) or "none"
            raise TimeoutError(f"not seen within {timeout} s; the bot's last calls: {last}") from None

    async def next_bot_message(self, chat: BotLog, timeout: float) -> dict[str, Any]:
        """Return the bot's next message in a chat, each message once, skipping deleted ones.

        Raises TimeoutError. The result is the record itself, not a copy.
        """

        def unread() -> dict[str, Any] | None:
            while chat.next_unread < len(chat.bot_message_ids):
                message = chat.messages.get(chat.bot_message_ids[chat.next_unread])
                chat.next_unread += 1
                if message is not None:
                    return message
            return None

        return await self.wait_for(unread, timeout)

    def record(self, call: Call) -> None:
        """Add a call of the bot that has ended."""
        self.calls.append(call)
        self.changed()

    def calls_of(self, method: str) -> list[Call]:
        """Return the calls whose method matches the glob `method`, ignoring case."""
        return [call for call in self.calls if fnmatch.fnmatchcase(call.method.lower(), method.lower())]


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


class Sandbox(ABC):
    """A fake platform served over HTTP on loopback; it can be stopped and started on the same port with all its state.

    `secret` must come with every request to the control interface. Raises ValueError for a host that is not loopback.
    """

    def __init__(self, state: SandboxState, faults: Faults, host: str, port: int, secret: str = "") -> None:
        """Without `secret`, a random one is made."""
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox is for loopback only, not {host!r}: use 127.0.0.1")
        self.state = state
        self.faults = faults
        self.host = host
        self.port = port
        self.secret = secret or new_secret()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def add_routes(self, app: web.Application) -> None:
        """Add every route of the platform and of its control interface to the application."""

    # --- the server

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Start listening. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=1 << 27, middlewares=[refuse_other_sites])
        self.add_routes(app)
        app.on_response_prepare.append(self._set_date)
        # handler_cancellation: a handler must end when its client disconnects, or a dead long poll would stay open.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Cut every connection and stop listening; `start` listens on the same port again."""
        self.faults.clear()
        self.faults.down()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.faults.clear()

    async def _set_date(self, _request: web.Request, response: web.StreamResponse) -> None:
        # Clients measure their clock's difference by this header, so it follows the sandbox's clock.
        response.headers["Date"] = _http_date(int(self.state.now()))

    @property
    def root(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{self.host}:{self.port}"

    @property
    def authorization(self) -> dict[str, str]:
        """The header that the control interface asks for."""
        return {"Authorization": f"Bearer {self.secret}"}

    # --- what the bot did

    @property
    def calls(self) -> list[Call]:
        """Every API call of the bot that has ended, oldest first."""
        return self.state.calls

    def calls_of(self, method: str) -> list[Call]:
        """Return the calls whose method matches a glob such as "sendMessage" or "POST /channels/*/messages"."""
        return self.state.calls_of(method)

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = DEFAULT_TIMEOUT_S) -> T:
        """Return the first result of `predicate` that is neither None nor False. Raises TimeoutError with the calls."""
        return await self.state.wait_for(predicate, timeout)

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward: whatever expires by age expires."""
        self.state.advance(seconds)
