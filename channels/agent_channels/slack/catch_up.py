"""Fetches what was missed from the history of each chat that the agent reads, and keeps how far each one was read.

Slack keeps nothing for an app that is away, so each new connection begins with this. A chat is *behind* until its
history has been fetched. Its cursor moves in the transaction that journals what was fetched, and never past anything
that was not:

- `last:<chat>`: everything up to then was journalled;
- `ahead:<chat>`: the newest message that a socket brought while the chat was behind;
- `last:<chat>:<thread>`: the newest message that was seen in a thread;
- `sync`: "done" unless some chat is behind.

Where Slack asks to wait, what is complete is journalled first, and then the one page asked for again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    PlatformError,
    RateLimited,
    Rejected,
    ThreadGone,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.text.times import epoch_iso, local_time
from agent_channels.slack import outbound
from agent_channels.slack.chats import Json, NameCache, is_direct, is_ts
from agent_channels.slack.errors import translated
from agent_channels.slack.http import SlackConnections
from agent_channels.slack.raw_events import (
    MALFORMED,
    edit_event,
    edited_at,
    message_event,
    names_of,
    reaction_event,
    reactions_to,
    told_edit,
)

__all__ = ["CatchUp", "is_behind"]

logger = logging.getLogger(__name__)

# Before a gap something may have been given to a socket that was about to break; fetched again, it is known by its id.
_OVERLAP_S = 300.0
# What a history shows surely is older than this: the server that answers may not know the newest yet.
_SETTLED_S = 60.0
# Reactions to, and edits of, older messages are found as long before the overlap, in threads too.
_CHANGED_S = 86_400.0
# A thread that was quiet for so long is found by its beginning alone.
_THREAD_S = 14 * 86_400.0
# How often a page is asked for again at a fault, before its chat waits and others go first.
_TRIES = 4
# The longest pause before such a chat is read again; one that Slack refuses to show waits longer.
_FAULT_S, _REFUSED_S = 30.0, 300.0
# How many messages are kept in memory before they are journalled, so that those of several chats come in order.
_KEPT_MAX = 1000
_NAMES_S = 30.0
# A catch-up that takes longer is told in the status.
_TOLD_AFTER_S = 5.0
_TOLD_MAX = 3


@dataclass(eq=False)
class _Chat:
    """A chat that is behind. `key` is its id, or that of the person if there was no direct chat."""

    key: str
    since: float
    round: int
    """The connection since which it is behind."""
    gap: bool = False
    """Whether there was a time without a connection, in which messages may have been changed too."""
    why: str = ""
    """Why it could not be read the last time."""
    refused: bool = False
    due: float = 0.0
    seen: set[str] = field(default_factory=set)
    """The messages that sockets brought since then."""
    edited: dict[str, Json] = field(default_factory=dict)
    """Those that sockets said were edited since then, as they are now: what is found may be older."""
    pauses: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, cap_s=_REFUSED_S, calm_s=3 * _REFUSED_S))


@dataclass
class _History:
    """What was found in a chat: every message, also such as are known, by their time."""

    chat: _Chat
    channel: str
    round: int
    after: float
    """What is newer may have been missed."""
    changed_after: float
    until: str = ""
    """No message up to then is missing."""
    messages: dict[str, Json] = field(default_factory=dict)
    old_threads: list[str] = field(default_factory=list)

    def add(self, messages: Iterable[Json]) -> None:
        for message in messages:
            self.messages[str(message["ts"])] = message | {"channel": self.channel}


class CatchUp:
    """The chats that are behind, and the one task that reads them."""

    def __init__(
        self,
        connections: SlackConnections,
        own_user: str,
        sink: EventSink,
        names: NameCache,
        arrived: Callable[[Json], None],
        tell: Callable[[], None],
    ) -> None:
        """`arrived` gets every new message; `tell` is called when `remarks` are other ones."""
        self._connections, self._own_user, self._sink = connections, own_user, sink
        self._names, self._arrived, self._tell = names, arrived, tell
        # Held while cursors are moved.
        self.storing = asyncio.Lock()
        # Set while older messages than those of the sockets are not about to be journalled.
        self.settled = asyncio.Event()
        self._behind: dict[str, _Chat] = {}
        # Of what an earlier process saw of chats that were behind, only the newest is known, by chat.
        self._seen_until = {
            name.partition(":")[2]: float(ts) for name, ts in sink.cursors().items() if name.startswith("ahead:")
        }
        self._found: list[_History] = []
        self._round = 0
        self._since = 0.0
        self._began = 0.0
        self._changed = Wakeup()
        self._told = False

    # ---- what the reader of the sockets asks and says

    async def begin(self, *, gap: bool) -> None:
        """From now on a new connection is read: every chat is behind. `gap`: there was a time without one."""
        self._round += 1
        if all(chat.refused for chat in self._behind.values()):
            self._since, self._began = time.time(), time.monotonic()
        for key, since in self._sink.enabled_since().items():
            self._fall_behind(key, since, gap=gap)
        async with self.storing:
            await self._sink.put([], {"sync": "behind"})
        self._changed.set()

    def let_in(self, channel: str) -> None:
        """Read a chat now that could not be read before: somebody let the bot in."""
        if (since := self._sink.enabled_since().get(channel)) is not None:
            self._fall_behind(channel, since, gap=True)
            self._changed.set()

    def _fall_behind(self, key: str, since: float, *, gap: bool) -> None:
        chat = self._behind.setdefault(key, _Chat(key, since, self._round))
        chat.since, chat.round, chat.gap, chat.due = since, self._round, chat.gap or gap, 0.0
        self._settle()

    def note_edits(self, edited: Iterable[Json]) -> None:
        """Take in messages that a socket said were edited, as they are now; the caller holds `storing`."""
        for message in edited:
            if (chat := self._behind_chat(message)) is not None:
                ts = str(message["ts"])
                chat.edited[ts] = _newest(chat.edited.get(ts, message), message)

    def _behind_chat(self, message: Json) -> _Chat | None:
        """Return the chat of a message if it is behind."""
        found = self._behind.get(str(message["channel"]))
        if found is None and is_direct(message):
            found = self._behind.get(str(message.get("user")))
        return found

    def moved_by(self, messages: Iterable[Json], wanted: Collection[str]) -> dict[str, str | None]:
        """Return the cursors that messages of a socket move; `wanted` are the chats that the agent reads.

        The caller holds `storing`.
        """
        moved: dict[str, str] = {}
        for message in messages:
            channel, user, ts = str(message["channel"]), str(message.get("user")), str(message["ts"])
            if channel not in wanted and user not in wanted:
                continue
            chat = self._behind_chat(message)
            if chat is not None:
                chat.seen.add(ts)
            names = [f"{'last' if chat is None else 'ahead'}:{channel}"]
            if thread := message.get("thread_ts"):
                names.append(f"last:{channel}:{thread}")
            moved |= {name: _later(moved.get(name), ts) for name in names}
        return dict(_newer(moved, self._sink.cursors()))

    def remarks(self) -> list[str]:
        """Return what the operator should know: that a catch-up takes long, and which chats Slack does not show."""
        waiting = [chat for chat in self._behind.values() if not chat.refused]
        said: list[str] = []
        late = time.monotonic() - self._began > _TOLD_AFTER_S
        if waiting and (self._told or late or any(chat.why for chat in waiting)):
            said.append(
                sentence(
                    "fetching what was missed, since {since}; chats left: {count}",
                    since=local_time(epoch_iso(self._since) or ""),
                    count=len(waiting),
                )
            )
        failing = [chat for chat in self._behind.values() if chat.why]
        said += [
            sentence("the history of {chat} cannot be read: {error}", chat=self._label(chat.key), error=chat.why)
            for chat in failing[:_TOLD_MAX]
        ]
        if len(failing) > _TOLD_MAX:
            said.append(sentence("and {count} more", count=len(failing) - _TOLD_MAX))
        return said

    def _label(self, key: str) -> str:
        name = (self._names.known_names([], [key]).get("channels") or {}).get(key)
        return f"#{name} ({key})" if name else key

    # ---- the task

    async def run(self) -> None:
        """Read what is behind, until cancelled. Raises `Unauthorized`, and `StoreError`."""
        await self._changed.wait()
        while True:
            chat = self._next()
            if chat is None:
                await self._store()
                with anyio.move_on_after(self._pause_s()):
                    await self._changed.wait()
            else:
                await self._read(chat)
                if sum(len(found.messages) for found in self._found) > _KEPT_MAX:
                    await self._store()

    def _next(self) -> _Chat | None:
        now, found = time.monotonic(), {one.chat.key for one in self._found}
        due = (chat for chat in self._behind.values() if chat.due <= now and chat.key not in found)
        return next(due, None)

    def _pause_s(self) -> float:
        if not self._behind:
            return math.inf
        return max(0.0, min(chat.due for chat in self._behind.values()) - time.monotonic())

    async def _read(self, chat: _Chat) -> None:
        if chat.key not in self._sink.enabled_since():
            del self._behind[chat.key]
            self._tell()
            return
        if not self._told and time.monotonic() - self._began > _TOLD_AFTER_S:
            self._show()
        try:
            found = await self._history(chat)
        except Unauthorized:
            raise
        except PlatformError as error:
            await self._failed(chat, error)
            return
        chat.why, chat.refused = "", False
        if found is not None:
            self._found.append(found)
        else:
            # There can be no chat with that person, so nothing was missed in it.
            del self._behind[chat.key]
            self._tell()

    async def _failed(self, chat: _Chat, error: PlatformError) -> None:
        chat.why, chat.refused = words_of(error), isinstance(error, Forbidden | Rejected)
        pause_s = chat.pauses.next()
        chat.due = time.monotonic() + (pause_s if chat.refused else min(pause_s, _FAULT_S))
        # Others go first.
        self._behind[chat.key] = self._behind.pop(chat.key)
        if chat.key[:1] in {"C", "G"}:
            await self._names.names_for(self._connections.client, [], [chat.key])
        logger.warning("the history of %s cannot be read: %s", chat.key, chat.why)
        self._settle()
        self._show()

    def _show(self) -> None:
        """Tell the operator how it stands; from then on until the end."""
        self._told = True
        self._tell()

    def _settle(self) -> None:
        if any(not chat.why for chat in self._behind.values()):
            self.settled.clear()
        else:
            self.settled.set()

    # ---- one chat

    async def _history(self, chat: _Chat) -> _History | None:
        """Return what a chat's history has; None if there is no such chat. Raises `PlatformError`."""
        began = chat.round
        channel = await self._again(lambda: outbound.find_chat(self._connections.client, chat.key))
        if channel is None:
            return None
        cursors, last = self._sink.cursors(), f"last:{channel}"
        after = max(chat.since, float(cursors.get(last) or 0) - _OVERLAP_S)
        changed_after = max(chat.since, after - _CHANGED_S)
        found = _History(chat, channel, began, after, changed_after)
        client, begun = self._connections.client, dict[str, float]()
        async for page, date in self._pages(client.conversations_history, channel=channel):
            found.add(page)
            found.until = found.until or _shown_until(page, date)
            begun |= {str(one["ts"]): float(one["latest_reply"]) for one in page if is_ts(one.get("latest_reply"))}
            if page and min(float(one["ts"]) for one in page) <= after:
                break
        known = {name.rpartition(":")[2]: ts for name, ts in cursors.items() if name.startswith(f"{last}:")}
        old = time.time() - _THREAD_S
        found.old_threads = [f"{last}:{thread}" for thread, ts in known.items() if float(ts) < old]
        # Without a gap nothing was missed in silence; only what was given to the earlier socket could have been.
        since = changed_after if chat.gap else after
        told = [thread for thread, latest in begun.items() if latest > since]
        asked = (*told, *(thread for thread in known if thread not in begun and chat.gap))
        for thread in asked:
            await self._add_replies(found, thread, since)
        return found

    async def _add_replies(self, found: _History, thread: str, since: float) -> None:
        asked = {"channel": found.channel, "ts": thread, "oldest": f"{since:.6f}"}
        try:
            async for page, _ in self._pages(self._connections.client.conversations_replies, **asked):
                found.add(page)
        except ThreadGone as error:
            logger.info("thread %s cannot be read: %s", thread, error)

    async def _pages(
        self, method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: Any
    ) -> AsyncIterator[tuple[list[Json], str | None]]:
        """Yield the messages of each page, and when Slack answered, as the header says it."""
        cursor: str | None = None
        while True:

            async def ask(cursor: str | None = cursor) -> tuple[list[Json], str | None, str | None]:
                with translated():
                    answer = await method(limit=outbound.PAGE, cursor=cursor, **arguments)
                    further = (answer.get("response_metadata") or {}).get("next_cursor")
                    readable = [one for one in answer["messages"] if isinstance(one, dict) and is_ts(one.get("ts"))]
                    return readable, answer.headers.get("Date"), further

            messages, date, cursor = await self._again(ask)
            yield messages, date
            if not cursor:
                return

    async def _again(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, and again where Slack asks to wait, or a few times at faults that pass. Raises `PlatformError`."""
        pauses, left = Backoff(first_s=0.25, cap_s=10.0), _TRIES
        while True:
            try:
                return await ask()
            except RateLimited as error:
                pause_s = max(error.retry_after, 0.5)
                logger.info("missed messages are fetched on in %.0f s: %s", pause_s, error)
            except (Unavailable, Ambiguous):
                left -= 1
                if not left:
                    raise
                pause_s = pauses.next()
            await self._store()
            if pause_s >= 1:
                self._show()
            await asyncio.sleep(pause_s)

    # ---- the journal

    async def _store(self) -> None:
        """Journal what is complete, in order of time, with how far each chat was read."""
        found, self._found = self._found, []
        named = [(one, await self._named(one)) for one in found]
        async with self.storing:
            cursors = self._sink.cursors()
            moved: dict[str, str | None] = {}
            events: list[tuple[float, RawEvent]] = []
            reactions: list[RawEvent] = []
            for one, (said, reacted) in named:
                # Edited while its history was read.
                live = one.chat.edited
                now = [(_newest(message, live.get(str(message["ts"]))), names) for message, names in said]
                events += self._events(one, now, cursors)
                reactions += reacted
                moved |= self._moved(one, cursors)
                if one.chat.round == one.round:
                    self._behind.pop(one.chat.key, None)
                else:
                    # Connected anew meanwhile: what it missed since has yet to be fetched, after that of others.
                    self._behind[one.chat.key] = self._behind.pop(one.chat.key)
            if cursors.get("sync") != "done" and all(chat.refused for chat in self._behind.values()):
                moved["sync"] = "done"
            if found or moved:
                events.sort(key=lambda pair: pair[0])
                await self._sink.put([*(event for _, event in events), *reactions], moved)
                self._sink.mark_alive()
            self._settle()
        if found:
            self._told = self._told and any(not chat.refused for chat in self._behind.values())
            self._tell()

    async def _named(self, found: _History) -> tuple[list[tuple[Json, Json]], list[RawEvent]]:
        """Return the messages that concern the agent, with their names, and the reactions."""
        said: list[tuple[Json, Json]] = []
        reactions: list[RawEvent] = []
        for message in found.messages.values():
            if float(message["ts"]) > found.changed_after:
                # Without those that cannot be read.
                with suppress(*MALFORMED):
                    for reaction in reactions_to(message, self._own_user):
                        person = {"channel": found.channel, "user": reaction["user"]}
                        reactions.append(reaction_event(reaction, await self._names_of(person)))
            is_new = max(float(message["ts"]), float(edited_at(message) or 0)) > found.after
            if is_new and str(message.get("user") or "") != self._own_user:
                said.append((message, await self._names_of(message)))
        return said, reactions

    async def _names_of(self, message: Json) -> Json:
        return await names_of(message, self._names, self._connections.client, _NAMES_S)

    def _events(
        self, found: _History, said: Iterable[tuple[Json, Json]], cursors: Mapping[str, str]
    ) -> Iterable[tuple[float, RawEvent]]:
        """Yield the events of messages, each with the time by which they are sorted.

        One that was edited before it was ever seen comes once, as it is now.
        """
        known = max(float(cursors.get(f"last:{found.channel}") or 0), self._seen_until.get(found.channel, 0.0))
        for message, names in said:
            at, edited = float(message["ts"]), edited_at(message)
            is_known = at <= known or str(message["ts"]) in found.chat.seen
            if at > found.after:
                if not is_known:
                    with suppress(*MALFORMED):
                        self._arrived(message)
                yield at, message_event(message, names)
            if edited is not None and float(edited) > found.after:
                is_told = at > found.after and not is_known
                yield max(at, float(edited)), told_edit(message) if is_told else edit_event(message, names)

    def _moved(self, found: _History, cursors: Mapping[str, str]) -> dict[str, str | None]:
        last, ahead = f"last:{found.channel}", f"ahead:{found.channel}"
        reached = {last: found.until}
        for ts, message in found.messages.items():
            if is_ts(thread := message.get("thread_ts")) and float(ts) > found.after:
                name = f"{last}:{thread}"
                reached[name] = _later(reached.get(name), ts)
        moved: dict[str, str | None] = dict.fromkeys(found.old_threads)
        if found.chat.round == found.round and ahead in cursors:
            # The sockets have been read without a gap since before the history was.
            reached[last] = _later(found.until, cursors[ahead])
            moved[ahead] = None
        return moved | _newer(reached, cursors)


def _shown_until(newest: Iterable[Json], date: str | None) -> str:
    """Return up to when the newest page of a history shows everything. `date`: when Slack answered, as it says."""
    read_at = 0.0
    with suppress(ValueError, TypeError):
        read_at = parsedate_to_datetime(date or "").timestamp() - _SETTLED_S
    return max((f"{max(0.0, read_at):.6f}", *(str(message["ts"]) for message in newest)), key=float)


def _newer(reached: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {name: ts for name, ts in reached.items() if float(ts) > float(known.get(name) or 0)}


def _newest(found: Json, live: Json | None) -> Json:
    """Return the version of a message that was edited last; of the same second, `live`: Slack tells no finer."""
    return live if live and float(edited_at(live) or 0) >= float(edited_at(found) or 0) else found


def _later(first: str | None, second: str) -> str:
    return second if first is None else max(first, second, key=float)


def is_behind(cursors: Mapping[str, str]) -> bool:
    """Return whether what was missed before the connection has yet to be fetched."""
    return cursors.get("sync") != "done"
