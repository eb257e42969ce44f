"""What every sandbox is made of: a clock that can be moved, a world whose changes wake who waits, a server to stop."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from agent_channels.sandbox.faults import Faults

__all__ = ["DEFAULT_TIMEOUT_S", "Call", "Sandbox", "SandboxState"]

# How long somebody waits for the bot unless they say otherwise: its start on a busy machine fits in.
DEFAULT_TIMEOUT_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One API call of the bot: its name and parameters as written, monotonic time, HTTP status (0: no answer was sent).

    Uploaded files are in `params`.
    """

    method: str
    params: dict[str, Any]
    at: float
    response_code: int


class SandboxState:
    """State in memory, every change of which wakes who waits in `wait_for`; `calls`: what the bot did."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.changes = 0
        self._ahead = 0.0
        self._changed = asyncio.Event()

    def now(self) -> float:
        """The sandbox's clock: Unix seconds plus what `advance` added."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves the clock: whatever has an age grows old."""
        self._ahead += seconds
        self.changed()

    def changed(self) -> None:
        """Tells everybody who waits that something is different."""
        self.changes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = DEFAULT_TIMEOUT_S) -> T:
        """The first result of `predicate` that is neither None nor False; asked again at every change.

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


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


class Sandbox(ABC):
    """A server on loopback that can be stopped and started on the same port, with all its state."""

    faults: Faults
    host: str
    port: int
    clock: Callable[[], float]

    _runner: web.AppRunner | None = None

    @abstractmethod
    def add_routes(self, app: web.Application) -> None:
        """Enters everything that is served into the application."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=1 << 27)
        self.add_routes(app)
        app.on_response_prepare.append(self._date)
        # handler_cancellation: what waits for a client that is gone must not stay
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Cuts every connection and stops listening; `start` listens on the same port again, with all state."""
        self.faults.clear()
        self.faults.down()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.faults.clear()

    async def _date(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = _date_of(int(self.clock()))

    @property
    def root(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{self.host}:{self.port}"
