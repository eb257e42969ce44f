"""Reading Discord: one gateway connection, resumed wherever it can be, and what it missed fetched by REST.

Discord keeps no queue for a bot that is away. How far was read is kept in the store as marks, moved in the transaction
that journals the events: `session` (to RESUME after a restart, which replays everything) and `last:<channel>` (from
where to fetch when the session is over).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import anyio
import discord
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, Unavailable
from agent_channels.core.scheduling import Backoff
from agent_channels.discord import outbound
from agent_channels.discord.chats import ChannelCache
from agent_channels.discord.errors import as_unavailable, translated
from agent_channels.discord.http import Everything, may_identify
from agent_channels.discord.message_context import addressed

__all__ = ["GatewayReader"]

logger = logging.getLogger(__name__)

_TRIES = 6
_QUEUE = 1000
_BATCH = 500
# Closing with it leaves the session to be resumed; 1000 would end it.
_CLOSE = 4000
_LEAVE_S = 0.3
_CONNECT_S = 30.0
# A connection that ended sooner than this is not made again at once.
_SHORT_S = 5.0

Raw = dict[str, Any]


class GatewayReader:
    """One `listen`: connects, back-fills, reads until it raises."""

    def __init__(
        self,
        client: discord.Client,
        me: str,
        gateway: str | None,
        sink: EventSink,
        places: ChannelCache,
        tapped: Callable[[Raw], bool],
        fresh: Callable[[str], None],
    ) -> None:
        """`tapped` acknowledges an interaction, and says whether it is to be journalled; `fresh` hears of messages."""
        self._client, self._http, self._me, self._sink = client, client.http, me, sink
        self._gateway = yarl.URL(gateway) if gateway else None
        self._places, self._tapped, self._fresh = places, tapped, fresh
        self._queue: asyncio.Queue[tuple[int, str, Raw]] = asyncio.Queue()
        self._ws: DiscordWebSocket | None = None
        self._session: dict[str, Any] = {}
        self._wanted: Mapping[str, float] = {}

    async def run(self) -> None:
        """Reads for ever; raises `PlatformError` or `StoreError`."""
        self._session = _load(self._sink.cursors().get("session"))
        writing = asyncio.create_task(self._write())
        reading = asyncio.create_task(self._read())
        try:
            done, _ = await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            # Also when all of us is being cancelled: how a session is left decides whether it can be resumed.
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LEAVE_S):
                for task in (writing, reading):
                    task.cancel()
                await asyncio.gather(writing, reading, return_exceptions=True)
                await self._leave()

    # ---- the connection

    async def _read(self) -> None:
        pauses = Backoff(first_s=0.1, cap_s=30.0)
        while True:
            await self._connect()
            began = time.monotonic()
            try:
                with translated():
                    while True:
                        # Bounded: what is not written down yet is not read on.
                        if self._queue.qsize() > _QUEUE:
                            await self._drained()
                        await self._poll()
            except ReconnectWebSocket as asked:
                await self._drained()
                if not asked.resume:
                    self._session = {}
                    await self._sink.put([], {"session": None})
                if time.monotonic() - began < _SHORT_S:
                    await asyncio.sleep(pauses.next())

    async def _poll(self) -> None:
        if self._ws is None:
            raise Unavailable("the connection to Discord is gone")
        try:
            await self._ws.poll_event()
        except discord.ConnectionClosed as error:
            if error.code == 4014:
                self._session = {}
            raise
        self._sink.mark_alive()

    async def _connect(self) -> None:
        """Opens the gateway: RESUME when there is a session, else IDENTIFY within the day's ration."""
        resume = bool(self._session)
        if not resume:
            try:
                await may_identify(self._http)
            except PlatformError as error:
                raise as_unavailable(error) from error
        resume_url = self._session.get("url") if resume and self._gateway is None else None
        gateway = yarl.URL(resume_url) if resume_url else self._gateway
        try:
            with translated():
                async with asyncio.timeout(_CONNECT_S):
                    self._ws = await DiscordWebSocket.from_client(
                        self._client,
                        gateway=gateway,
                        session=self._session.get("id"),
                        sequence=self._session.get("seq"),
                        resume=resume,
                    )
        except ReconnectWebSocket as error:
            raise Unavailable("Discord ended the connection while it was being made") from error
        except PlatformError as error:
            raise as_unavailable(error) from error
        self._sink.mark_alive()
        self._ws._discord_parsers = Everything(self._event)  # noqa: SLF001 - its one seam for raw events

    async def _leave(self) -> None:
        """Closes so that the session can be resumed, by us or by whoever reads the bot next."""
        ws, self._ws = self._ws, None
        if ws is not None:
            with suppress(aiohttp.ClientError, OSError, RuntimeError):
                await ws.close(_CLOSE)

    # ---- events

    def _event(self, name: str, data: Raw) -> None:
        ws = self._ws
        if ws is None or ws.sequence is None:
            return
        if name == "INTERACTION_CREATE" and not self._tapped(data):
            return
        self._queue.put_nowait((ws.sequence, name, data))

    async def _drained(self) -> None:
        """Everything that was read is on disk."""
        await self._queue.join()

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._store(batch)
            for _ in batch:
                self._queue.task_done()

    async def _store(self, batch: list[tuple[int, str, Raw]]) -> None:
        """Journals a batch, with how far it was read, in one transaction."""
        self._wanted = self._sink.enabled_since()
        events: list[RawEvent] = []
        marks: dict[str, str | None] = {}
        for seq, name, data in batch:
            if name == "READY":
                # Behind until the history is fetched: whoever resumes this session has to fetch it then.
                self._session = {"id": data["session_id"], "seq": seq, "url": data.get("resume_gateway_url")}
                self._session["behind"] = True
                await self._sink.put([], {"session": json.dumps(self._session)})
            elif self._session:
                self._session["seq"] = seq
            if name in {"READY", "RESUMED"} and self._session.get("behind"):
                await self._caught_up()
                del self._session["behind"]
            self._places.learn(name, data)
            try:
                event = await self._raw(name, data, seq)
                if name == "MESSAGE_CREATE":
                    marks |= self._seen(data)
            except (KeyError, TypeError, ValueError, AttributeError):
                # Not what Discord promises: kept for inspection, and nothing after it is held up.
                event = RawEvent(f"u{self._session.get('id')}.{seq}", json.dumps({"t": name, "d": data}))
            if event is not None:
                events.append(event)
        if self._session:
            marks["session"] = json.dumps(self._session)
        await self._sink.put(events, marks)

    def _seen(self, message: Raw) -> dict[str, str]:
        """The mark of a channel whose messages are wanted."""
        channel = str(message["channel_id"])
        if message.get("guild_id") and not self._is_wanted(channel):
            return {}
        return {f"last:{channel}": str(message["id"])}

    def _is_wanted(self, channel: str) -> bool:
        parent = str(self._places.known(channel).get("parent_id") or "")
        return channel in self._wanted or parent in self._wanted

    async def _raw(self, name: str, data: Raw, seq: int) -> RawEvent | None:
        """The event for the journal; None for what can concern nobody."""
        if name not in {"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_REACTION_ADD", "INTERACTION_CREATE"}:
            return None
        told: Raw = {"t": name, "d": data}
        channel = str(data["channel_id"])
        if name == "INTERACTION_CREATE":
            return RawEvent(f"i{data['id']}", json.dumps(told))
        author = str((data.get("author") or {}).get("id") or data.get("user_id") or "")
        if author in {self._me, ""}:
            return None
        if data.get("guild_id"):
            told["channel"] = await self._places.channel(self._http, channel)
            if not (self._is_wanted(channel) or addressed(data, self._me)):
                # A busy server's talk in rooms that nobody enabled is not even written down.
                return None
        if name == "MESSAGE_CREATE":
            self._fresh(str(data["id"]))
            return RawEvent(f"m{data['id']}", json.dumps(told))
        if name == "MESSAGE_UPDATE":
            # Links that unfold and pins are updates too; only an edit has a time.
            edited = data.get("edited_timestamp")
            return RawEvent(f"e{data['id']}.{edited}", json.dumps(told)) if edited else None
        data |= {"at": time.time()}
        if not data.get("guild_id"):
            data["user"] = await self._places.person(self._http, author)
        # A reaction has no id of its own; its place in the session has, and is the same when it is replayed.
        return RawEvent(f"r{self._session.get('id')}.{seq}", json.dumps(told))

    # ---- back-fill

    async def _caught_up(self) -> None:
        """Back-fills; a fault on the way is tried again here, since connecting anew would cost an IDENTIFY."""
        pauses = Backoff(first_s=0.25, cap_s=10.0)
        for left in reversed(range(_TRIES)):
            try:
                await self._back_fill()
                break
            except (Unavailable, Ambiguous, RateLimited) as error:
                if not left:
                    raise as_unavailable(error) from error
                await asyncio.sleep(max(pauses.next(), error.retry_after if isinstance(error, RateLimited) else 0))

    async def _back_fill(self) -> None:
        """Fetches what was said since the last message seen of each chat the agent hears, oldest first of all."""
        marks = self._sink.cursors()
        events: list[tuple[int, RawEvent]] = []
        moved: dict[str, str | None] = {}
        for channel, after, kind in [place async for place in self._places.missed(self._http, self._wanted, marks)]:
            async for message in outbound.since(self._http, channel, after):
                if str(message["author"]["id"]) != self._me:
                    told = {"t": "MESSAGE_CREATE", "d": message, "channel": self._places.keep(kind)}
                    if kind.get("type") != 1:
                        message.setdefault("guild_id", kind.get("guild_id") or "0")
                    self._fresh(str(message["id"]))
                    events.append((int(message["id"]), RawEvent(f"m{message['id']}", json.dumps(told))))
                moved[f"last:{channel}"] = str(message["id"])
        events.sort(key=lambda pair: pair[0])
        if moved:
            await self._sink.put([event for _, event in events], moved)
            logger.info("fetched %d messages that came while nobody was connected", len(events))


def _load(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("id") else {}
