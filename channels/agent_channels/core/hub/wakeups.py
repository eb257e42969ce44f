"""How a project hears at once that the hub has something for it: a datagram on this machine, NOTIFY in PostgreSQL.

A datagram may hold the events themselves, which are then claimed for the project already. Either may be lost, so who
waits also looks every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import anyio

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import StoreError
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.database import HubTransaction, Statement
from agent_channels.core.hub.lease import steady_s
from agent_channels.core.hub.postgres_database import connect, explained
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.settings.paths import runtime_dir

__all__ = ["LOOK_EVERY_S", "HubWakeups"]

logger = logging.getLogger(__name__)
# How long a lost wake-up may delay a message.
LOOK_EVERY_S = 3.0
_EVENTS, _MEMBERS = b"events", b"members"
# What is handed over counts for so long, much shorter than it is claimed for: who slept since claims it.
HANDED_FOR_S = 10.0
# Any system takes a datagram of this size.
HANDED_MAX_BYTES = 32_768


class HubWakeups:
    """The wake-ups of one bot's projects, and those of one project in this process, `own`."""

    def __init__(self, address: HubAddress, bot: str, project: str = "", folder: Path | None = None) -> None:
        """`project`: the one whose `own` wake-up this is. `folder`: where the sockets are, instead of the user's."""
        self._address, self._bot, self.project = address, bot, project
        self._folder = folder
        self.own = Wakeup()
        self.members = Wakeup()
        """Set when a project of the bot lets other people or groups in than before."""
        self._handed: list[tuple[float, RawEvent]] = []
        self._paths: dict[str, Path] = {}

    async def wait(self) -> bool:
        """Return True when there is said to be something new for this process's project, False after a few seconds."""
        with anyio.move_on_after(LOOK_EVERY_S):
            await self.own.wait()
            return True
        return False

    def hears(self, project: str) -> bool:
        """Return whether a process on this machine listens for another project, so that events can be handed to it."""
        with contextlib.suppress(OSError), self._sender(project):
            return True
        return False

    def is_dead(self, project: str) -> bool:
        """Return whether a project's process listened on this machine, and ended without a word."""
        return self._path(project).exists() and not self.hears(project)

    def hand_over(self, project: str, events: Sequence[RawEvent]) -> bool:
        """Hand a project events that are claimed for it; return False if its process cannot be reached so."""
        if project == self.project:
            self._take_in(steady_s(), events)
            return True
        parts = [(event.event_id, event.payload) for event in events]
        data = json.dumps({"hub": str(self._address), "at": steady_s(), "events": parts}).encode()
        return len(data) <= HANDED_MAX_BYTES and self._send(project, data)

    def handed_over(self) -> list[RawEvent]:
        """Return, once, what was handed to this process's project a moment ago."""
        handed, self._handed = self._handed, []
        return [event for at, event in handed if 0 <= steady_s() - at < HANDED_FOR_S]

    def _take_in(self, at: float, events: Iterable[RawEvent]) -> None:
        self._handed += [(at, event) for event in events]
        self.own.set()

    def notifications(self, projects: Iterable[str]) -> list[Statement]:
        """Return what wakes projects once its transaction is committed, where the database can."""
        others = [] if self._address.is_local else [project for project in projects if project != self.project]
        return [self._notification(project) for project in others]

    async def notify(self, tx: HubTransaction, project: str) -> None:
        """Wake a project once this transaction is committed, where the database can."""
        for sql, values in self.notifications([project]):
            await tx.execute(sql, *values)

    def send(self, projects: Iterable[str]) -> None:
        """Wake projects after a commit: this process's own, and those that a process on this machine listens for."""
        for project in projects:
            if project == self.project:
                self.own.set()
            else:
                self._send(project, _EVENTS)

    async def notify_members(self, tx: HubTransaction) -> None:
        """Wake who reads the bot, once this transaction is committed, because whom a project lets in has changed."""
        if not self._address.is_local:
            sql, values = self._notification("")
            await tx.execute(sql, *values)

    def send_members(self, projects: Iterable[str]) -> None:
        """The same after the commit, on a hub of this machine: one of these projects reads the bot."""
        self.members.set()
        for project in projects:
            if project != self.project:
                self._send(project, _MEMBERS)

    def _send(self, project: str, what: bytes) -> bool:
        with contextlib.suppress(OSError), self._sender(project) as sender:
            sender.send(what)
            return True
        return False

    @contextlib.contextmanager
    def _sender(self, project: str) -> Iterator[socket.socket]:
        """A socket to the process on this machine that listens for a project. Raises `OSError` if there is none."""
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system has no such sockets")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # noqa: FBT003 - the standard library takes it so
            sender.connect(str(self._path(project)))
            yield sender

    async def run(self) -> None:
        """Hear what others send to this process's project, until cancelled."""
        async with anyio.create_task_group() as group:
            if hasattr(socket, "AF_UNIX"):
                group.start_soon(self._receive)
            if not self._address.is_local:
                group.start_soon(self._listen)

    async def _receive(self) -> None:
        path, hear = self._path(self.project), self._hear

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                del addr
                hear(data)

        # The caller holds the project's lock, so a socket that is there is a dead process's.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                Receiver, local_addr=str(path), family=socket.AF_UNIX
            )
        except OSError as error:
            logger.warning(
                "messages from the hub may come %.0f s late: the socket %s cannot be made (%s)",
                LOOK_EVERY_S, path, error,
            )  # fmt: skip
            return
        try:
            await anyio.sleep_forever()
        finally:
            transport.close()
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    async def _listen(self) -> None:
        backoff = Backoff(cap_s=30.0)
        while True:
            try:
                connection = await connect(self._address)
                try:
                    with explained(self._address):
                        for project in (self.project, ""):
                            await connection.execute(f"LISTEN {self._topic(project)}".encode())
                        # What came while nobody listened.
                        self._wake(members=True)
                        self._wake(members=False)
                        async for notification in connection.notifies():
                            self._wake(members=notification.channel == self._topic(""))
                finally:
                    with anyio.CancelScope(shield=True):
                        await connection.close()
            except StoreError as error:
                logger.info("messages from the hub may come %.0f s late: %s", LOOK_EVERY_S, error)
            await anyio.sleep(backoff.next())

    def _notification(self, project: str) -> Statement:
        return "SELECT pg_notify(?, '')", (self._topic(project),)

    def _hear(self, data: bytes) -> None:
        """Take in what a process of this machine sent."""
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            handed = json.loads(data) if data.startswith(b"{") else {}
            # Another hub's claims are not this one's.
            if handed.get("hub") == str(self._address):
                events = [RawEvent(str(event_id), str(payload)) for event_id, payload in handed["events"]]
                return self._take_in(float(handed["at"]), events)
        return self._wake(members=data == _MEMBERS)

    def _wake(self, *, members: bool) -> None:
        (self.members if members else self.own).set()

    def _path(self, project: str) -> Path:
        if project not in self._paths:
            self._paths[project] = (self._folder or runtime_dir()) / f"{self._topic(project)}.sock"
        return self._paths[project]

    def _topic(self, project: str) -> str:
        # A name that PostgreSQL takes unquoted, and a socket's folder may be deep.
        return f"hub_{hashlib.sha256(f'{self._bot}/{project}'.encode()).hexdigest()[:12]}"
