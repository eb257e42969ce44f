"""Sending: everything is checked before anything goes, parts go in order, faults are waited out inside a bound."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from agent_channels.core.buttons.layout import check_grid, lay_out
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Grid, Keyboard, Outgoing, Sent
from agent_channels.core.errors import Ambiguous, Forbidden, ParseFailed, PlatformError, Refused, Rejected, Unauthorized
from agent_channels.core.files.storage import Files
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import unmark
from agent_channels.core.journal.outbox import Outbox, Shipment
from agent_channels.core.outbound.compose import (
    AsFile,
    arranged,
    as_plain,
    drawn,
    goes_as_file,
    grid_at,
    in_file,
    legended,
    message,
    single,
    width,
)
from agent_channels.core.outbound.edits import Edits, plain_note
from agent_channels.core.outbound.retry import Retrier, SendReport
from agent_channels.core.people.access import Access

__all__ = ["Reply", "Sender"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent wants sent to a chat."""

    chat_id: str
    text: str
    format: str
    reply_to: str | None = None
    thread_id: str | None = None
    files: Sequence[str] = ()
    grid: Grid | None = None
    tappers: Sequence[str] | None = None
    silent: bool = False
    # Its name, which is no part of what is sent.
    key: str | None = field(default=None, repr=False)
    prompt_id: str | None = None
    as_file: AsFile = False


@dataclass(slots=True)
class _Course:
    """One reply on its way: what is booked of it, how many parts it has, what was waited for, and how it ended."""

    reply: Reply
    shipment: Shipment
    total: int
    waiting: SendReport
    answered: Callable[[], None]
    result: str | None = None


class Sender:
    """Replies and edits, one at a time in each chat."""

    def __init__(
        self,
        adapter: Adapter,
        access: Access,
        panels: Panels,
        outbox: Outbox,
        files: Files,
        *,
        rate_wait_s: float,
        ttl_s: float,
        file_above: int,
    ) -> None:
        """`file_above`: the length of a text that goes as a file where that is left to us."""
        self._adapter, self._access, self._panels = adapter, access, panels
        self._outbox, self._files = outbox, files
        self._ttl_s, self._file_above = ttl_s, file_above
        self._turns: defaultdict[str, anyio.Lock] = defaultdict(partial(anyio.Lock, fast_acquire=True))
        self._patience = Retrier(rate_wait_s)
        self._history = History(outbox.store)
        self.editing = Edits(adapter, access, panels, outbox, self._patience, self.turn, ttl_s)

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return self._patience.calls > 0 or any(turn.locked() for turn in self._turns.values())

    def turn(self, chat_id: str) -> AbstractAsyncContextManager[None]:
        """The right to send in a chat: two replies are never interleaved."""
        return self._turns[chat_id]

    async def reply(self, reply: Reply, answered: Callable[[], None]) -> str:
        """Sends a reply and returns the result in words, with every message id.

        `answered` is called when everything went, in the transaction that books it. Raises `Refused` before anything is
        sent, `PlatformError` when a part did not go: the message names the ids of the parts that did and how to go on.
        """
        waiting = SendReport()
        try:
            self._access.require_target(reply.chat_id, self._adapter.channel)
        except Refused:
            now = self._access.now_called(reply.chat_id)
            if now == reply.chat_id:
                raise
            waiting.notes.append(f"the chat now has the id {now}; use it from now on")
            reply = replace(reply, chat_id=now)
            self._access.require_target(now, self._adapter.channel)
        key = reply.key or f"auto-{secrets.token_hex(8)}"
        async with self.turn(reply.chat_id):
            # In its turn: drawing a long text takes longer than drawing the short one after it.
            parts = await self._prepare(reply)
            # Between here and the sending of a message without a grid nothing can fail: it is booked at once.
            first = () if reply.grid and not grid_at(parts) else range(width(parts[0]))
            shipment = self._outbox.begin(key, reply.chat_id, repr(reply), first)
            if shipment.result is not None:
                answered()
                return f"{shipment.result} (already sent under this idempotency_key; nothing was sent again)"
            course, number = _Course(reply, shipment, sum(map(width, parts)), waiting, answered), 0
            for index, outgoing in enumerate(parts):
                await self._message(course, number, outgoing, reply.grid if index == grid_at(parts) else None)
                number += width(outgoing)
            return course.result or self._end(course)

    async def _message(self, course: _Course, number: int, outgoing: Outgoing, grid: Grid | None) -> None:
        """Sends what is left of a message: an album whole, or file by file where it was refused as a whole."""
        left = [i for i in range(width(outgoing)) if not course.shipment.settled(number + i)]
        if len(left) == len(outgoing.album) > 0:
            try:
                return await self._part(course, number, outgoing, grid)
            except PlatformError as error:
                if not isinstance(error.__cause__, Rejected):
                    raise
        for i in left:
            await self._part(course, number + i, single(outgoing, i), None if i else grid)
        return None

    async def _prepare(self, reply: Reply) -> list[Outgoing]:
        if not reply.text.strip() and not reply.files:
            raise Refused("text is empty and there are no files; nothing to send")
        if reply.grid:
            check_grid(reply.grid, self._adapter.limits)
        limits = self._adapter.limits
        paths = [str(self._files.resolve_sendable(path, limits.upload)) for path in reply.files]
        base = Outgoing(reply.chat_id, format=reply.format, thread_id=reply.thread_id, silent=reply.silent)
        text = reply.text
        if goes_as_file(text, reply.as_file, self._file_above):
            text, path = in_file(self._adapter, self._files, text, reply.format)
            paths.insert(0, path)
        text = legended(self._adapter, text, reply.format, reply.grid)
        said = [message(base, part) for part in await drawn(self._adapter, text, reply.format)] if text.strip() else []
        parts = arranged(self._adapter, base, said, paths, grid=bool(reply.grid))
        if reply.reply_to:
            parts[0] = replace(parts[0], reply_to=reply.reply_to)
        return parts

    async def _part(self, course: _Course, number: int, outgoing: Outgoing, grid: Grid | None) -> None:
        shipment, waiting = course.shipment, course.waiting
        panel_id = None
        if grid:
            panel_id, keyboard = self._panel(course.reply, grid)
            outgoing = replace(outgoing, keyboard=keyboard)
        numbers = range(number, number + width(outgoing))
        if any(shipment.parts.get(i, ("", None))[0] != "sending" for i in numbers):
            self._outbox.parts(shipment, numbers, "sending")
        try:
            sent = await self._sent(outgoing, waiting)
        except PlatformError as error:
            unknown = isinstance(error, Ambiguous)
            self._outbox.parts(shipment, numbers, "unknown" if unknown else "failed", error=str(error))
            if panel_id and not unknown:
                self._panels.discard(panel_id)
            raise type_of(error)(self._failure(course, number, error)) from error
        except BaseException:
            # Cancelled on the way: the request may have been executed.
            self._outbox.parts(shipment, numbers, "unknown", error="cancelled")
            raise

        def book() -> None:
            self._outbox.parts(shipment, numbers, "sent", (sent.message_id, *sent.others))
            self._note(self._moved(outgoing, waiting), sent.message_id)
            if panel_id:
                self._panels.bind(panel_id, sent.message_id, sent.snapshot)

        try:
            with self._outbox.store.transaction():
                book()
                if numbers.stop == course.total:
                    course.result = self._end(course)
        except BaseException:
            # What was sent is sent, whatever fails of what follows from it.
            with self._outbox.store.transaction():
                book()
            raise

    async def _sent(self, outgoing: Outgoing, waiting: SendReport) -> Sent:
        """Sends; what the platform cannot parse goes without its formatting."""
        try:
            return await self._patience.call(lambda: self._adapter.send(self._moved(outgoing, waiting)), waiting)
        except ParseFailed as error:
            plain = as_plain(outgoing)
            if plain is None:
                raise
            waiting.notes.append(plain_note(error))
        return await self._patience.call(lambda: self._adapter.send(self._moved(plain, waiting)), waiting)

    def _note(self, outgoing: Outgoing, message_id: str) -> None:
        self._history.sent(
            outgoing.chat_id,
            message_id,
            outgoing.text if outgoing.plain is None else outgoing.plain,
            user=self._adapter.display_name.removeprefix("@"),
            files=[Path(path).name for path in outgoing.album or filter(None, [outgoing.path])],
            reply_to=outgoing.reply_to,
            thread_id=outgoing.thread_id,
        )

    def _panel(self, reply: Reply, grid: Grid) -> tuple[str, Keyboard]:
        panel_id = self._panels.create(
            reply.chat_id,
            grid,
            ttl_s=self._ttl_s,
            thread_id=reply.thread_id,
            tappers=reply.tappers,
            prompt_id=reply.prompt_id,
        )
        return panel_id, lay_out(panel_id, grid, self._adapter.limits)

    async def react(self, chat_id: str, message_id: str, emoji: str) -> str:
        """Sets the bot's reaction."""
        self._access.require_target(chat_id, self._adapter.channel)
        allowed = self._adapter.limits.reactions
        plain = emoji.replace("\ufe0f", "")
        known = {e.replace("\ufe0f", ""): e for e in allowed} if allowed is not None else None
        if known is not None and emoji and plain not in known:
            raise Refused(f"{emoji!r} is not a reaction this platform offers; it offers {' '.join(sorted(known))}")
        wanted = known.get(plain, emoji) if known is not None else emoji
        await self._patience.call(lambda: self._adapter.react(chat_id, message_id, wanted), SendReport())
        unmark(self._outbox.store, chat_id, message_id)
        return f"reacted with {wanted}" if emoji else "reaction removed"

    def _moved(self, outgoing: Outgoing, waiting: SendReport) -> Outgoing:
        if waiting.chat_id is None or outgoing.chat_id == waiting.chat_id:
            return outgoing
        self._access.move_group(outgoing.chat_id, waiting.chat_id)
        self._history.moved(outgoing.chat_id, waiting.chat_id)
        return replace(outgoing, chat_id=waiting.chat_id)

    def _end(self, course: _Course) -> str:
        with self._outbox.store.transaction():
            result = self._result(course.shipment, course.total, course.waiting)
            course.answered()
        return result

    def _result(self, shipment: Shipment, total: int, waiting: SendReport) -> str:
        ids = shipment.ids()
        unknown = [n + 1 for n, (state, _) in sorted(shipment.parts.items()) if state == "unknown"]
        if unknown:
            sent = f"sent: {', '.join(ids)}" if ids else "nothing else was sent"
            return (
                f"unknown: part {', '.join(map(str, unknown))} of {total} may or may not have arrived, and is not sent "
                f"again under this idempotency_key ({sent})"
            )
        text = f"sent (id: {ids[0]})" if len(ids) == 1 else f"sent {len(ids)} parts (ids: {', '.join(ids)})"
        if waiting.seconds:
            waiting.notes.append(f"waited {waiting.seconds:.0f} s for the platform's rate limit")
        self._outbox.done(shipment, text)
        return "; ".join([text, *waiting.notes])

    @staticmethod
    def _failure(course: _Course, number: int, error: PlatformError) -> str:
        shipment, total = course.shipment, course.total
        ids = shipment.ids()
        said = f"sent so far: {', '.join(ids)}" if ids else "nothing was sent before it"
        again = f"call again with the same arguments and idempotency_key={shipment.key!r}"
        if isinstance(error, Ambiguous):
            return (
                f"unknown: part {number + 1} of {total} may or may not have arrived ({error}); {said}. It is not sent "
                f"again by itself; to go on after it, {again}"
            )
        if isinstance(error, Rejected | Forbidden | Unauthorized) and not ids:
            return f"part {number + 1} of {total} was not sent: {error}; {said}. Sent again unchanged, it fails again."
        return f"part {number + 1} of {total} was not sent: {error}; {said}. To go on from there, {again}"


def type_of(error: PlatformError) -> type[PlatformError]:
    """The class to raise a told failure as: one that needs no more than its message."""
    return Ambiguous if isinstance(error, Ambiguous) else PlatformError
