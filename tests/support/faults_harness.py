"""What the tests under fire share: further projects, an account of who was shown what, and a wire that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.sandbox.server import Call
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Event, Host, Stage

__all__ = [
    "Account",
    "Gate",
    "Note",
    "Project",
    "calls_since",
    "inbox_states",
    "locked",
    "resident_mb",
    "since",
    "together",
    "world",
]


# Writes a line into a table that is printed at the end of the run: (table, line).
Note = Callable[[str, str], None]

# ---- worlds


@contextlib.asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[Stage]:
    """A stage of its own, pushing by decree: many of them can be played at the same time."""
    folder.mkdir(mode=0o700)  # noqa: ASYNC240 - one call on a local folder
    async with TelegramSandbox(TOKEN) as tg, Stage(tg, folder) as stage:
        stage.env |= {"CHANNELS_MODE": "push", "TELEGRAM_POLL_TIMEOUT_S": "1"}
        # Lets another tree than the installed one be put under fire.
        stage.env |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        stage.config(**{"grace_s": 0, **settings})
        yield stage
        assert stage.impure() == []
        assert tg.token not in stage.everything_said()


async def together(cells: dict[str, Coroutine[Any, Any, Any]], at_once: int = 7) -> dict[str, Any]:
    """Plays many worlds, so many at once; returns what each found.

    Raises AssertionError naming every one that failed.
    """
    turns = asyncio.Semaphore(at_once)

    async def one(cell: Coroutine[Any, Any, Any]) -> Any:
        async with turns:
            return await cell

    found = await asyncio.gather(*(one(cell) for cell in cells.values()), return_exceptions=True)
    results = dict(zip(cells, found, strict=True))
    failed = {name: error for name, error in results.items() if isinstance(error, BaseException)}
    if failed:
        told = "\n".join(f"{name}: {type(error).__name__}: {error}" for name, error in failed.items())
        raise AssertionError(f"{len(failed)} of {len(cells)} failed:\n{told}") from next(iter(failed.values()))
    return results


class Project:
    """Another project of the same user: folders of its own, the same token, the same runtime folder."""

    def __init__(self, stage: Stage, name: str, **settings: Any) -> None:
        self.stage = stage
        self.project, self.state = stage.folder / name, stage.folder / f"{name}-state"
        self.project.mkdir(mode=0o700)
        make_state_folder(self.state)
        self.env: dict[str, str | None] = {
            "CLAUDE_PROJECT_DIR": str(self.project),
            "TELEGRAM_STATE_DIR": str(self.state),
        }
        (self.state / "config.yaml").write_text(yaml.safe_dump({"grace_s": 0, **settings}), encoding="utf-8")

    def allow(self, person: TelegramPerson) -> TelegramPerson:
        """Lets somebody in here too."""
        with Store.open(self.state) as store:
            Services.of(store).access.allow(str(person.id), by="test", name=person.handle)
        return person

    async def host(self, **env: str | None) -> Host:
        """A host that started the server in this project."""
        return await self.stage.host(**{**self.env, **env})


# ---- who was shown what


@dataclass
class Account:
    """An exact account: what people sent, and what each session was shown, the sessions in the order they read."""

    sent: list[str] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)

    def say(self, person: TelegramPerson, text: str) -> str:
        """Somebody writes something new."""
        person.send(text)
        self.sent.append(text)
        return text

    def shown(self, text: str) -> list[tuple[int, Event]]:
        """Every showing of a text: (number of the session, event), in order."""
        return [(n, event) for n, host in enumerate(self.hosts) for event in host.events if event.content == text]

    def lost(self) -> list[str]:
        """Texts that no session was shown."""
        return [text for text in self.sent if not self.shown(text)]

    def duplicates(self) -> list[Event]:
        """Every showing after a text's first."""
        return [event for text in self.sent for _, event in self.shown(text)[1:]]

    def unmarked(self) -> list[Event]:
        """Duplicates that do not say so, or not under their first delivery id."""
        first = {text: shown[0][1].meta["delivery_id"] for text in self.sent if (shown := self.shown(text))}
        return [
            event
            for event in self.duplicates()
            if event.meta.get("redelivered") != "true" or event.meta["delivery_id"] != first[event.content]
        ]

    def twice_in_one_session(self) -> list[str]:
        """Texts that one session was shown more than once."""
        return [t for t in self.sent if any(n > 1 for n in Counter(n for n, _ in self.shown(t)).values())]

    def check(self) -> None:
        """Nothing is lost, and every duplicate is marked with its first delivery id."""
        assert self.lost() == []
        assert self.unmarked() == []


def calls_since(tg: TelegramSandbox, mark: int, method: str = "*", *, code: int | None = None) -> list[Call]:
    """The bot's calls since `mark` (a length of `tg.calls`), of one method, with one status."""
    return [
        call
        for call in tg.calls[mark:]
        if method in {"*", call.method} and (code is None or call.response_code == code)
    ]


def inbox_states(state_dir: Path) -> Counter[str]:
    """How many entries are in which state, read beside the server."""
    with Store.open(state_dir) as store:
        return Counter(
            {row["state"]: row["n"] for row in store.rows("SELECT state, count(*) AS n FROM inbox GROUP BY 1")}
        )


@contextlib.contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Holds the database's write lock: nobody else commits meanwhile."""
    db = sqlite3.connect(state_dir / "channel.db", isolation_level=None, timeout=10)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")
    finally:
        db.close()


def resident_mb(host: Host) -> float:
    """The serving process's resident memory in MB."""
    return float(host.worker.memory_info().rss) / 1e6


def since(began: float) -> float:
    """Seconds since a `time.perf_counter()`."""
    return time.perf_counter() - began


# ---- a wire that can be cut


class Gate:
    """A TCP proxy before a server: open, refusing (nobody listens), or forgetful (bytes go nowhere)."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self._server: asyncio.Server | None = None
        self._forgotten: set[asyncio.Task[None]] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def root(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def open(self) -> None:
        """Listens, on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cuts what is open and listens no more."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in list(self._pipes):
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await self._server.wait_closed()

    def forget(self) -> None:
        """Connections that are open stay open, and nothing comes through them any more; new ones work."""
        self._forgotten |= self._pipes

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ends = [writer]
        self._pipes.add(task)
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            ends.append(back)
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(task, reader, back))
                group.create_task(self._pump(task, there, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            return
        finally:
            for end in ends:
                end.transport.abort()
                self._writers.discard(end)
            self._pipes.discard(task)

    async def _pump(self, pipe: asyncio.Task[None], source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if pipe not in self._forgotten:
                target.write(data)
                await target.drain()
        if pipe not in self._forgotten:
            # One end is closed: so is the other, which ends the second pump.
            target.transport.abort()
