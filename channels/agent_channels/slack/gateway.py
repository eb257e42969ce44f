"""Reads Slack: Socket Mode connections, each replaced before or after it ends.

Slack gives each event to one of the app's connections. An envelope is acknowledged once its event is journalled; an
event that was not acknowledged comes again. What was missed before a connection is fetched beside it (`catch_up.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import anyio
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.catching_up import as_unavailable
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import Forbidden, PlatformError, Unauthorized, Unavailable
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.scheduling import Backoff
from agent_channels.slack.catch_up import CatchUp
from agent_channels.slack.chats import Json, NameCache, is_direct, ts_seconds
from agent_channels.slack.errors import APP_TOKEN_MISSING, SOCKET_OFF, error_code
from agent_channels.slack.http import SlackConnections, call
from agent_channels.slack.message_context import is_addressed
from agent_channels.slack.raw_events import MALFORMED, edit_event, edited_at, message_event, names_of, reaction_event

__all__ = ["SocketReader", "app_connection"]

logger = logging.getLogger(__name__)

_QUEUE_MAX = 1000
_BATCH_MAX = 500
_CONNECT_S = 30.0
_LEAVE_S = 0.3
# After a connection shorter than this, we wait before the next one.
_SHORT_S = 5.0
# Both sides ask whether the other one is there; a socket that does not answer two times is closed.
PING_S = 10.0
# Slack wants each envelope acknowledged within three seconds, and sends it again after that.
ACK_S = 3.0
# How long of these an event waits so that older ones, which are being fetched, come before it; and for names.
_HOLD_S, _NAMES_S = 1.5, 1.0
# How long the earlier socket stays open once the next one is: what Slack gave to it before it knew.
_LINGER_S = 5.0
_ENDS = frozenset(getattr(aiohttp.WSMsgType, name) for name in ("CLOSE", "CLOSING", "CLOSED", "ERROR"))
_MESSAGES = frozenset({"message", "app_mention"})


async def app_connection(connections: SlackConnections, app_token: str | None) -> str:
    """Return the address of a new socket. Raises `PlatformError`, with what the app's settings lack."""
    if not app_token:
        raise Unauthorized(APP_TOKEN_MISSING)
    try:
        return str((await call(connections.client.apps_connections_open(app_token=app_token)))["url"])
    except PlatformError as error:
        code = error_code(error.__cause__)
        if code in {"socket_mode_not_enabled", "not_allowed"}:
            raise Forbidden(SOCKET_OFF) from error
        raise


@dataclass(eq=False)
class _Socket:
    """One connection, and why it should be left; the reason is set once."""

    ws: aiohttp.ClientWebSocketResponse
    opened: float = field(default_factory=time.monotonic)
    reason: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    answered: bool = True
    task: asyncio.Task[None] | None = None

    def leave(self, reason: str) -> None:
        if not self.reason.done():
            self.reason.set_result(reason)


@frozen
class _Envelope:
    socket: _Socket
    request: SocketModeRequest
    received: float
    journal: bool
    """Whether its event is journalled; in any case it is acknowledged."""


class SocketReader:
    """One run of `listen`: connect, fetch missed messages, read until something fails."""

    def __init__(
        self,
        connections: SlackConnections,
        app_token: str | None,
        own_user: str,
        sink: EventSink,
        names: NameCache,
        begin: Callable[[Json], bool],
        arrived: Callable[[Json], None],
    ) -> None:
        """`begin` gets every interaction and returns whether to journal it; `arrived` gets every new message."""
        self._connections, self._app_token, self._own_user, self._sink = connections, app_token, own_user, sink
        self._names, self._begin, self._arrived = names, begin, arrived
        self._queue: asyncio.Queue[_Envelope] = asyncio.Queue(_QUEUE_MAX)
        self._sockets: list[_Socket] = []
        self._lingering: set[asyncio.Task[None]] = set()
        self._catch_up = CatchUp(connections, own_user, sink, names, arrived, self._tell)
        self._wanted: Mapping[str, float] = {}
        # What the operator is told: of the connections, and all of it as it stands in the status.
        self._crowd = ""
        self._told: str | None = None

    async def run(self) -> None:
        """Read until something fails. Raises `PlatformError` or `StoreError`."""
        works = self._write(), self._read(), self._ping(), self._catch_up.run()
        tasks = {asyncio.create_task(work) for work in works}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            with anyio.CancelScope(shield=True):
                tasks |= self._lingering | {socket.task for socket in self._sockets if socket.task is not None}
                for task in tasks:
                    task.cancel()
                # A task that takes longer must not leave the sockets open.
                ended, _ = await asyncio.wait(tasks, timeout=_LEAVE_S)
                closings = (socket.ws.close() for socket in self._sockets)
                await asyncio.gather(*ended, *closings, return_exceptions=True)

    # ---- the sockets

    async def _read(self) -> None:
        pauses = Backoff(first_s=0.1, cap_s=30.0)
        current = await self._connect(gap=True)
        while True:
            reason = await current.reason
            if reason == "link_disabled":
                raise Forbidden(SOCKET_OFF)
            # A socket that Slack is about to close is read until then: the next one is there before.
            refresh = reason in {"refresh_requested", "warning"}
            if not refresh:
                await self._close(current)
            if time.monotonic() - current.opened < _SHORT_S:
                await asyncio.sleep(pauses.next())
            earlier, current = current, await self._connect(gap=not refresh)
            if refresh:
                self._close_later(earlier)

    async def _connect(self, *, gap: bool) -> _Socket:
        """Open a socket and wait for its greeting. `gap`: there was a time without one."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                url = await app_connection(self._connections, self._app_token)
                socket = _Socket(await self._connections.open_socket(url))
                self._sockets.append(socket)
                hello = await self._greeting(socket)
        except TimeoutError as error:
            raise Unavailable(sentence("Slack's socket sends no greeting")) from error
        except PlatformError as error:
            raise as_unavailable(error) from error
        self._sink.mark_alive()
        self._count(hello)
        await self._catch_up.begin(gap=gap)
        socket.task = asyncio.create_task(self._receive(socket))
        return socket

    async def _greeting(self, socket: _Socket) -> Json:
        while True:
            frame = await self._frame(socket)
            if frame is None:
                raise Unavailable(sentence("Slack closed the socket (code {code})", code=socket.ws.close_code))
            if frame.get("type") == "hello":
                return frame
            if frame.get("type") == "disconnect":
                if frame.get("reason") == "link_disabled":
                    raise Forbidden(SOCKET_OFF)
                raise Unavailable(sentence("Slack closed the socket ({reason})", reason=frame.get("reason")))

    def _count(self, hello: Json) -> None:
        """Tell the operator if other programs are connected to the app: each event reaches only one of them."""
        count = hello.get("num_connections")
        ours = sum(not socket.ws.closed for socket in self._sockets)
        self._crowd = ""
        if isinstance(count, int) and count > ours:
            self._crowd = sentence(
                "{count} connections of this Slack app are open and {ours} of them ours: Slack gives each event to "
                "one of them, so the others take taps and messages away; end the other programs, or give this project "
                "an app of its own",
                count=count,
                ours=ours,
            )
        self._tell()

    def _tell(self) -> None:
        """Let the status say what the operator should know now, in place of what it said before."""
        said = joined([*filter(None, [self._crowd]), *self._catch_up.remarks()])
        if said != self._told:
            self._told = said
            self._sink.add_note(said)

    async def _receive(self, socket: _Socket) -> None:
        try:
            while (frame := await self._frame(socket)) is not None:
                self._sink.mark_alive()
                if frame.get("type") == "disconnect":
                    socket.leave(str(frame.get("reason") or "closed"))
                    continue
                if not isinstance(frame.get("payload"), dict):
                    # Not as promised; acknowledged, and kept for inspection.
                    frame["payload"] = {"payload": frame.get("payload")}
                request = SocketModeRequest.from_dict(frame)
                if request is not None:
                    # Bounded: no further events are read until those in the queue are stored.
                    envelope = _Envelope(socket, request, time.monotonic(), self._begun(request))
                    await self._queue.put(envelope)
        finally:
            socket.leave("closed")

    async def _frame(self, socket: _Socket) -> Json | None:
        """Return the next object from a socket; None when it is closed."""
        while True:
            try:
                message = await socket.ws.receive()
            except (aiohttp.ClientError, OSError):
                return None
            if message.type is aiohttp.WSMsgType.TEXT:
                with suppress(*MALFORMED, RecursionError):
                    found = json.loads(message.data)
                    if isinstance(found, dict):
                        return found
                logger.warning("the socket sent what cannot be read")
            elif message.type is aiohttp.WSMsgType.PING:
                with suppress(aiohttp.ClientError, OSError):
                    await socket.ws.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                socket.answered = True
                self._sink.mark_alive()
            elif message.type in _ENDS:
                return None

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            for socket in list(self._sockets):
                if not socket.answered:
                    socket.leave("silent")
                socket.answered = False
                with suppress(aiohttp.ClientError, OSError):
                    await socket.ws.ping()

    async def _close(self, socket: _Socket) -> None:
        with anyio.move_on_after(_LEAVE_S), suppress(aiohttp.ClientError, OSError, RuntimeError):
            await socket.ws.close()
        if socket.task is not None:
            socket.task.cancel()
        if socket in self._sockets:
            self._sockets.remove(socket)

    def _close_later(self, socket: _Socket) -> None:
        """Read a socket on until Slack closes it, or some seconds have passed."""

        async def linger() -> None:
            if socket.task is not None:
                await asyncio.wait({socket.task}, timeout=_LINGER_S)
            # What was read from it is acknowledged over it.
            await self._queue.join()
            await self._close(socket)

        task = asyncio.create_task(linger())
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    # ---- events

    def _begun(self, request: SocketModeRequest) -> bool:
        """Return whether to journal a request, after what cannot wait for that.

        A form is opened at once: that can be done for three seconds only. What was said in a channel before the bot was
        let in is fetched before what follows is journalled.
        """
        with suppress(*MALFORMED):
            if request.type == "interactive":
                return self._begin(request.payload)
            event = request.payload["event"]
            if event["type"] == "member_joined_channel" and event["user"] == self._own_user:
                self._catch_up.let_in(str(event["channel"]))
        return True

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            held = batch[0].received + _HOLD_S - time.monotonic()
            if not self._catch_up.settled.is_set() and held > 0:
                # Not `wait_for`, which before Python 3.12 may swallow the task's cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(held):
                        await self._catch_up.settled.wait()
            while len(batch) < _BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._store(batch)
            for envelope in batch:
                await self._acknowledge(envelope)
                self._queue.task_done()

    async def _acknowledge(self, envelope: _Envelope) -> None:
        # One whose socket is gone comes again, and is known by its id.
        with suppress(aiohttp.ClientError, OSError, RuntimeError):
            answer = SocketModeResponse(envelope.request.envelope_id)
            await envelope.socket.ws.send_str(json.dumps(answer.to_dict()))

    async def _store(self, batch: list[_Envelope]) -> None:
        """Journal a batch, and how far it was read, in one transaction."""
        self._wanted = self._sink.enabled_since()
        events: list[RawEvent] = []
        messages: list[Json] = []
        edited: list[Json] = []
        deadline = time.monotonic() + _NAMES_S
        for envelope in batch:
            if not envelope.journal:
                continue
            try:
                event = await self._journal_event(envelope.request, deadline, messages, edited)
            except MALFORMED:
                # Kept for inspection, without holding up the events after it.
                payload = {"t": "unreadable", "d": envelope.request.payload}
                event = RawEvent(f"u{envelope.request.envelope_id}", json.dumps(payload))
            if event is not None:
                events.append(event)
        async with self._catch_up.storing:
            self._catch_up.note_edits(edited)
            await self._sink.put(events, self._catch_up.moved_by(messages, self._wanted))

    async def _journal_event(
        self, request: SocketModeRequest, deadline: float, messages: list[Json], edited: list[Json]
    ) -> RawEvent | None:
        """Return the event for the journal; None for one that concerns nobody.

        Names are asked for until `deadline`; `messages` gets each new message, `edited` each new version of one.
        """
        payload = request.payload
        if request.type == "slash_commands":
            return RawEvent(f"c{payload['trigger_id']}", json.dumps({"t": "command", "d": payload, "at": time.time()}))
        if request.type == "interactive":
            key = payload.get("trigger_id") or request.envelope_id
            return RawEvent(f"i{key}", json.dumps({"t": "interactive", "d": payload, "at": time.time()}))
        if request.type != "events_api":
            return None
        event = payload["event"]
        if event["type"] in _MESSAGES:
            return await self._journal_message(event, deadline, messages, edited)
        if event["type"] == "reaction_added":
            return await self._journal_reaction(event, deadline)
        return RawEvent(f"x{payload['event_id']}", json.dumps({"t": event["type"], "d": event}))

    async def _journal_message(
        self, event: Json, deadline: float, messages: list[Json], edited: list[Json]
    ) -> RawEvent | None:
        changed = event.get("subtype") == "message_changed"
        message = event["message"] | {"channel": event["channel"]} if changed else event
        if event.get("channel_type") and "channel_type" not in message:
            message["channel_type"] = event["channel_type"]
        if event.get("subtype") in {"message_deleted", "message_replied"} or self._is_own(message):
            return None
        ts_seconds(str(message["ts"]))
        if not self._is_wanted(message) and not is_addressed(message, self._own_user):
            # Messages in a busy workspace's channels that nobody enabled are not even journalled.
            return None
        names = await self._names_of(message, deadline)
        if changed:
            # Previews that unfold are changes too.
            if not edited_at(message):
                return None
            edited.append(message)
            return edit_event(message, names)
        self._arrived(message)
        messages.append(message)
        return message_event(message, names)

    async def _journal_reaction(self, event: Json, deadline: float) -> RawEvent | None:
        item = event["item"]
        if item.get("type") != "message" or str(event["user"]) == self._own_user:
            return None
        channel = str(item["channel"])
        ours = str(event.get("item_user")) == self._own_user
        if not (self._is_wanted({"channel": channel, "user": event["user"]}) or ours):
            return None
        names = await self._names_of({"channel": channel, "user": event["user"]}, deadline)
        return reaction_event(event, names)

    def _is_own(self, message: Json) -> bool:
        return str(message.get("user") or "") == self._own_user

    def _is_wanted(self, message: Json) -> bool:
        """Return whether a message is from a chat that the agent reads, or a direct one, from which strangers pair."""
        return str(message["channel"]) in self._wanted or is_direct(message)

    async def _names_of(self, message: Json, deadline: float) -> Json:
        return await names_of(message, self._names, self._connections.client, deadline - time.monotonic())
