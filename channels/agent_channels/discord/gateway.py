"""Reads Discord: one gateway connection, resumed wherever possible, and missed messages fetched over REST.

Discord keeps no queue for a bot that is away. How far we have read is kept as cursors, which move in the transaction
that journals the events: `session` (to RESUME after a restart, which replays everything) and `last:<channel>` (the
message after which to fetch once the session is over).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import anyio
import discord
import yarl
from discord.gateway import ReconnectWebSocket

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.catching_up import as_unavailable, catch_up
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import PlatformError, Unavailable
from agent_channels.core.scheduling import Backoff
from agent_channels.discord import outbound
from agent_channels.discord.chats import DIRECT, ChannelCache, Json
from agent_channels.discord.errors import translated
from agent_channels.discord.http import GatewaySocket, RawParsers, check_identify
from agent_channels.discord.message_context import is_addressed

__all__ = ["GatewayReader", "is_behind"]

logger = logging.getLogger(__name__)

_QUEUE_MAX = 1000
_BATCH_MAX = 500
# A close code that leaves the session to be resumed; 1000 would end it.
_CLOSE = 4000
_LEAVE_S = 0.3
_CONNECT_S = 30.0
# After a connection shorter than this, we wait before the next one.
_SHORT_S = 5.0
# Close codes after which there is nothing to resume: "Invalid seq", "Session timed out".
_SESSION_OVER = frozenset({4007, 4009})
# What comes of reading a payload or an event that is not what Discord promises.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError)


class GatewayReader:
    """One run of `listen`: connect, fetch missed messages, read until something fails."""

    def __init__(
        self,
        client: discord.Client,
        me: str,
        gateway: str | None,
        sink: EventSink,
        channels: ChannelCache,
        acknowledge: Callable[[Json], bool],
        arrived: Callable[[str], None],
    ) -> None:
        """`gateway`: its URL; None: the one that Discord names.

        `acknowledge` gets every interaction and returns whether to journal it; `arrived` gets every new message's id.
        """
        self._client, self._http, self._me, self._sink = client, client.http, me, sink
        self._gateway = yarl.URL(gateway) if gateway else None
        self._channels, self._acknowledge, self._arrived = channels, acknowledge, arrived
        self._queue: asyncio.Queue[tuple[int, str, Json]] = asyncio.Queue()
        self._ws: GatewaySocket | None = None
        self._session: dict[str, Any] = {}
        self._wanted: Mapping[str, float] = {}
        # How far the session had been read when the gateway last sent what cannot be read.
        self._unreadable_after: int | None = None

    async def run(self) -> None:
        """Read until something fails. Raises `PlatformError` or `StoreError`."""
        self._session = _load(self._sink.cursors().get("session"))
        writing = asyncio.create_task(self._write())
        reading = asyncio.create_task(self._read())
        try:
            done, _ = await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            # Also when we are cancelled: how a session is left decides whether it can be resumed.
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LEAVE_S):
                for task in (writing, reading):
                    task.cancel()
                await asyncio.gather(writing, reading, return_exceptions=True)
                await self._leave()

    # ---- the connection

    async def _read(self) -> None:
        # Logins are rationed, resuming is not.
        resumes, logins = Backoff(first_s=0.1, cap_s=3.0), Backoff(first_s=0.1, cap_s=30.0)
        while True:
            await self._connect()
            began = time.monotonic()
            try:
                with translated():
                    while True:
                        # Bounded: no further events are read until those in the queue are stored.
                        if self._queue.qsize() > _QUEUE_MAX:
                            await self._wait_stored()
                        await self._poll()
            except ReconnectWebSocket as asked:
                over = not asked.resume or (self._ws is not None and self._ws.close_code in _SESSION_OVER)
                await self._leave_soon()
                await self._wait_stored()
                if over:
                    self._session = {}
                    await self._sink.put([], {"session": None})
                if time.monotonic() - began < _SHORT_S:
                    await asyncio.sleep((resumes if self._session else logins).next())

    async def _poll(self) -> None:
        if self._ws is None:
            raise Unavailable("the connection to Discord is gone")
        try:
            await self._ws.poll_event()
        except discord.ConnectionClosed as error:
            if error.code == 4014:
                self._session = {}
            raise
        except (zlib.error, RecursionError, *_MALFORMED) as error:
            # Nor can what follows in a compressed stream. Resuming repeats it, intact if only the wire was at fault;
            # if it cannot be read again, a new session leaves it behind.
            logger.warning("the gateway sent what cannot be read (%s); connecting again", type(error).__name__)
            read, self._unreadable_after = self._unreadable_after, self._session.get("seq")
            raise ReconnectWebSocket(None, resume=read != self._unreadable_after) from error
        self._sink.mark_alive()

    async def _connect(self) -> None:
        """Open the gateway: RESUME when there is a session, else IDENTIFY within the day's ration."""
        resume = bool(self._session)
        if not resume:
            try:
                await check_identify(self._http)
            except PlatformError as error:
                raise as_unavailable(error) from error
        resume_url = self._session.get("url") if resume and self._gateway is None else None
        gateway = yarl.URL(resume_url) if resume_url else self._gateway
        try:
            with translated():
                async with asyncio.timeout(_CONNECT_S):
                    self._ws = await GatewaySocket.from_client(
                        self._client,
                        gateway=gateway,
                        session=self._session.get("id"),
                        sequence=self._session.get("seq"),
                        resume=resume,
                    )
        except ReconnectWebSocket as error:
            raise Unavailable("Discord ended the connection while it was being made") from error
        except (zlib.error, RecursionError, *_MALFORMED) as error:
            raise Unavailable("the gateway greeted with what cannot be read") from error
        except PlatformError as error:
            raise as_unavailable(error) from error
        self._sink.mark_alive()
        self._ws._discord_parsers = RawParsers(self._receive)  # noqa: SLF001 - its one seam for raw events

    async def _leave_soon(self) -> None:
        """As `_leave`, without waiting for a gateway that does not answer."""
        with anyio.move_on_after(_LEAVE_S):
            await self._leave()

    async def _leave(self) -> None:
        """Close so that the session can be resumed, by us or by the next process that reads the bot."""
        ws, self._ws = self._ws, None
        if ws is not None:
            with suppress(aiohttp.ClientError, OSError, RuntimeError):
                await ws.close(_CLOSE)

    # ---- events

    def _receive(self, name: str, data: Json) -> None:
        ws = self._ws
        if ws is None or ws.sequence is None:
            return
        with suppress(*_MALFORMED):
            if name == "INTERACTION_CREATE" and not self._acknowledge(data):
                return
        self._queue.put_nowait((ws.sequence, name, data))

    async def _wait_stored(self) -> None:
        """Wait until every event that was read is on disk."""
        await self._queue.join()

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._store(batch)
            for _ in batch:
                self._queue.task_done()

    async def _store(self, batch: list[tuple[int, str, Json]]) -> None:
        """Journal a batch, and how far it was read, in one transaction."""
        self._wanted = self._sink.enabled_since()
        events: list[RawEvent] = []
        cursors: dict[str, str | None] = {}
        for seq, name, data in batch:
            if name == "READY":
                # Behind until the history is fetched: a process that resumes this session has to fetch it.
                self._session = {"id": data["session_id"], "seq": seq, "url": data.get("resume_gateway_url")}
                self._session["behind"] = True
                await self._sink.put([], {"session": json.dumps(self._session)})
            elif self._session:
                self._session["seq"] = seq
            if name in {"READY", "RESUMED"} and self._session.get("behind"):
                # Faults are retried within the session, since a new connection would cost an IDENTIFY.
                await catch_up(self._fetch_missed)
                del self._session["behind"]
            try:
                self._channels.learn(name, data)
                event = await self._journal_event(name, data, seq)
                if name == "MESSAGE_CREATE":
                    cursors |= self._moved_cursor(data)
            except _MALFORMED:
                # Kept for inspection, without holding up the events after it.
                event = RawEvent(f"u{self._session.get('id')}.{seq}", json.dumps({"t": name, "d": data}))
            if event is not None:
                events.append(event)
        if self._session:
            cursors["session"] = json.dumps(self._session)
        await self._sink.put(events, cursors)

    def _moved_cursor(self, message: Json) -> dict[str, str]:
        """Return the cursor that a message moves; empty for a channel, or a stranger, that the agent does not read."""
        channel, author = str(message["channel_id"]), str(message["author"]["id"])
        if not self._is_wanted(channel) and (message.get("guild_id") or author not in self._wanted):
            return {}
        return {f"last:{channel}": str(message["id"])}

    def _is_wanted(self, channel: str) -> bool:
        parent = str(self._channels.cached(channel).get("parent_id") or "")
        return channel in self._wanted or parent in self._wanted

    async def _journal_event(self, name: str, data: Json, seq: int) -> RawEvent | None:
        """Return the event for the journal; None for one that concerns nobody."""
        if name not in {"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_REACTION_ADD", "INTERACTION_CREATE"}:
            return None
        payload: Json = {"t": name, "d": data}
        channel = str(data["channel_id"])
        if name == "INTERACTION_CREATE":
            return RawEvent(f"i{data['id']}", json.dumps(payload))
        author = str((data.get("author") or {}).get("id") or data.get("user_id") or "")
        if author in {self._me, ""}:
            return None
        if data.get("guild_id"):
            payload["channel"] = await self._channels.channel(self._http, channel)
            await self._add_own_roles(data, str(data["guild_id"]))
            if not (self._is_wanted(channel) or is_addressed(data, self._me)):
                # Messages in a busy server's channels that nobody enabled are not even journalled.
                return None
        if name == "MESSAGE_CREATE":
            self._arrived(str(data["id"]))
            return RawEvent(f"m{data['id']}", json.dumps(payload))
        if name == "MESSAGE_UPDATE":
            # Link previews and pins arrive as updates too, but only an edit has a timestamp.
            edited = data.get("edited_timestamp")
            return RawEvent(f"e{data['id']}.{edited}", json.dumps(payload)) if edited else None
        data |= {"at": time.time()}
        if not data.get("guild_id"):
            data["user"] = await self._channels.person(self._http, author)
        # Discord does not give reactions an id; the sequence number is one, since a replay repeats it.
        return RawEvent(f"r{self._session.get('id')}.{seq}", json.dumps(payload))

    async def _add_own_roles(self, message: Json, guild_id: str) -> None:
        """Say which roles are the bot's own in a message that mentions some."""
        if message.get("mention_roles"):
            message["own_roles"] = await self._channels.own_roles(self._http, guild_id, self._me)

    # ---- missed messages

    async def _fetch_missed(self) -> None:
        """Journal the messages after the last one seen in each chat that the agent reads, all in order of time."""
        cursors = self._sink.cursors()
        events: list[tuple[int, RawEvent]] = []
        moved: dict[str, str | None] = {}
        chats = [chat async for chat in self._channels.to_fetch(self._http, self._wanted, cursors)]
        for channel_id, after, channel in chats:
            async for message in outbound.messages_after(self._http, channel_id, after):
                if str(message["author"]["id"]) != self._me:
                    payload = {"t": "MESSAGE_CREATE", "d": message, "channel": self._channels.keep(channel)}
                    if channel.get("type") != DIRECT:
                        message.setdefault("guild_id", channel.get("guild_id") or "0")
                        await self._add_own_roles(message, message["guild_id"])
                    self._arrived(str(message["id"]))
                    events.append((int(message["id"]), RawEvent(f"m{message['id']}", json.dumps(payload))))
                moved[f"last:{channel_id}"] = str(message["id"])
        events.sort(key=lambda pair: pair[0])
        if moved:
            await self._sink.put([event for _, event in events], moved)
            logger.info("fetched %d messages that came while nobody was connected", len(events))


def is_behind(cursors: Mapping[str, str]) -> bool:
    """Return whether what was missed before the session began has yet to be fetched."""
    session = _load(cursors.get("session"))
    return not session or "behind" in session


def _load(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("id") else {}
