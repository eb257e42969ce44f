"""Sending: everything is checked before anything goes, parts go in order, faults are waited out inside a bound."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from channels.core.access import Access
from channels.core.adapter import Adapter
from channels.core.errors import (
    Ambiguous,
    Forbidden,
    PlatformError,
    Refused,
    Rejected,
    Unauthorized,
)
from channels.core.files import Files
from channels.core.history import History
from channels.core.outbox import Outbox, Shipment
from channels.core.panels import Panels, check_grid, lay_out, legend
from channels.core.patience import Patience, Waiting
from channels.core.types import Grid, Keyboard, Outgoing
from channels.core.waiting import unmark

__all__ = ["Outbound", "Reply"]


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
    key: str | None = None
    prompt_id: str | None = None


class Outbound:
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
    ) -> None:
        self._adapter, self._access, self._panels = adapter, access, panels
        self._outbox, self._files = outbox, files
        self._ttl_s = ttl_s
        self._turns: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self._patience = Patience(rate_wait_s)
        self._history = History(outbox.store)

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return self._patience.calls > 0 or any(turn.locked() for turn in self._turns.values())

    def turn(self, chat_id: str) -> AbstractAsyncContextManager[None]:
        """The right to send in a chat: two replies are never interleaved."""
        return self._turns[chat_id]

    async def reply(self, reply: Reply) -> str:
        """Sends a reply and returns the result in words, with every message id.

        Raises `Refused` before anything is sent, `PlatformError` when a part did not go: the message names the ids of
        the parts that did and how to go on.
        """
        waiting = Waiting()
        now = self._access.now_called(reply.chat_id)
        if now != reply.chat_id:
            waiting.notes.append(f"the chat now has the id {now}; use it from now on")
            reply = replace(reply, chat_id=now)
        self._access.require_target(reply.chat_id, self._adapter.channel)
        parts = self._prepare(reply)
        key = reply.key or f"auto-{secrets.token_hex(8)}"
        async with self.turn(reply.chat_id):
            shipment = self._outbox.begin(key, reply.chat_id, replace(reply, key=None))
            if shipment.result is not None:
                return f"{shipment.result} (already sent under this idempotency_key; nothing was sent again)"
            for number, outgoing in enumerate(parts):
                if shipment.parts.get(number, ("", None))[0] in {"sent", "unknown"}:
                    continue
                grid = reply.grid if number == self._grid_part(reply, parts) else None
                await self._part(shipment, number, len(parts), outgoing, grid, reply, waiting)
            return self._result(shipment, len(parts), waiting)

    def _prepare(self, reply: Reply) -> list[Outgoing]:
        if not reply.text.strip() and not reply.files:
            raise Refused("text is empty and there are no files; nothing to send")
        if reply.grid:
            check_grid(reply.grid, self._adapter.limits)
        self._adapter.check(reply.text, reply.format)
        limits = self._adapter.limits
        paths = [str(self._files.sendable(path, limits.upload)) for path in reply.files]
        base = Outgoing(reply.chat_id, format=reply.format, thread_id=reply.thread_id, silent=reply.silent)
        text = self._legended(reply.text, reply.format, reply.grid)
        texts = self._adapter.split(text, reply.format) if text.strip() else []
        parts = [replace(base, text=text) for text in texts] + [replace(base, path=path) for path in paths]
        parts[0] = replace(parts[0], reply_to=reply.reply_to)
        return parts

    def _legended(self, text: str, format_: str, grid: Grid | None) -> str:
        """The text with whatever does not fit on the buttons written out under it."""
        lines = legend(grid, self._adapter.limits) if grid else []
        written = "\n".join(self._adapter.literal(line, format_) for line in lines)
        return "\n\n".join(filter(None, (text if text.strip() else "", written)))

    @staticmethod
    def _grid_part(reply: Reply, parts: Sequence[Outgoing]) -> int | None:
        """The grid goes on the last part of the text; without text, on the last file."""
        if not reply.grid:
            return None
        texts = [i for i, part in enumerate(parts) if part.path is None]
        return texts[-1] if texts else len(parts) - 1

    async def _part(
        self,
        shipment: Shipment,
        number: int,
        total: int,
        outgoing: Outgoing,
        grid: Grid | None,
        reply: Reply,
        waiting: Waiting,
    ) -> None:
        panel_id = None
        if grid:
            panel_id, keyboard = self._panel(reply.chat_id, reply.thread_id, grid, reply.tappers, reply.prompt_id)
            outgoing = replace(outgoing, keyboard=keyboard)
        self._outbox.part(shipment, number, "sending")
        try:
            sent = await self._patience.call(lambda: self._adapter.send(self._moved(outgoing, waiting)), waiting)
        except PlatformError as error:
            unknown = isinstance(error, Ambiguous)
            self._outbox.part(shipment, number, "unknown" if unknown else "failed", error=str(error))
            if panel_id and not unknown:
                self._panels.discard(panel_id)
            raise type_of(error)(self._failure(shipment, number, total, error)) from error
        except BaseException:
            # Cancelled on the way: the request may have been executed.
            self._outbox.part(shipment, number, "unknown", error="cancelled")
            raise
        with self._outbox.store.write():
            self._outbox.part(shipment, number, "sent", sent.message_id)
            self._note(self._moved(outgoing, waiting), sent.message_id)
            if panel_id:
                self._panels.bind(panel_id, sent.message_id, sent.snapshot)

    def _note(self, outgoing: Outgoing, message_id: str) -> None:
        self._history.sent(
            outgoing.chat_id,
            message_id,
            outgoing.text,
            user=self._adapter.shown_name.removeprefix("@"),
            files=[Path(outgoing.path).name] if outgoing.path else [],
            reply_to=outgoing.reply_to,
            thread_id=outgoing.thread_id,
        )

    def _panel(
        self,
        chat_id: str,
        thread_id: str | None,
        grid: Grid,
        tappers: Sequence[str] | None,
        prompt_id: str | None = None,
    ) -> tuple[str, Keyboard]:
        panel_id = self._panels.create(
            chat_id, grid, ttl_s=self._ttl_s, thread_id=thread_id, tappers=tappers, prompt_id=prompt_id
        )
        return panel_id, lay_out(panel_id, grid, self._adapter.limits)

    async def edit(
        self, chat_id: str, message_id: str, text: str, format_: str, grid: Grid | None, *, keep: bool
    ) -> str:
        """Replaces a message of ours; `keep`: an open grid stays as it is, else `grid` (or nothing) takes its place."""
        self._access.require_target(chat_id, self._adapter.channel)
        # Else an agent could rewrite the card that asks for its own permission.
        if not self._outbox.holds(chat_id, message_id):
            raise Refused(
                f"message {message_id!r} cannot be edited: only a message that the bot sent by reply or ask can, and "
                "none that is older than what is kept"
            )
        if not text.strip():
            raise Refused("text is empty; a message cannot be emptied")
        if grid:
            check_grid(grid, self._adapter.limits)
        self._adapter.check(text, format_)
        held = self._panels.open_on(chat_id, message_id) if keep else None
        text = self._legended(text, format_, held.grid if held else grid)
        if len(self._adapter.split(text, format_)) > 1:
            raise Refused(
                f"text is longer than one message ({self._adapter.limits.text:,} characters); an edit cannot be split: "
                "shorten it, or send a reply"
            )
        async with self.turn(chat_id):
            return await self._edit(chat_id, message_id, text, format_, grid, keep=keep)

    async def _edit(
        self, chat_id: str, message_id: str, text: str, format_: str, grid: Grid | None, *, keep: bool
    ) -> str:
        held = self._panels.open_on(chat_id, message_id)
        panel_id, keyboard = None, None
        if grid:
            panel_id, keyboard = self._panel(chat_id, held.thread_id if held else None, grid, None)
        elif keep and held:
            panel_id, keyboard = held.id, lay_out(held.id, held.grid, self._adapter.limits)
        try:
            sent = await self._patience.call(
                lambda: self._adapter.edit(chat_id, message_id, text, format_, keyboard), Waiting()
            )
        except PlatformError:
            if grid and panel_id:
                self._panels.discard(panel_id)
            raise
        self._history.changed(chat_id, message_id, text)
        if panel_id:
            self._panels.bind(panel_id, sent.message_id, sent.snapshot)
        elif held:
            self._panels.close_on(chat_id, message_id)
        return f"edited (id: {sent.message_id})"

    async def react(self, chat_id: str, message_id: str, emoji: str) -> str:
        """Sets the bot's reaction."""
        self._access.require_target(chat_id, self._adapter.channel)
        allowed = self._adapter.limits.reactions
        plain = emoji.replace("\ufe0f", "")
        known = {e.replace("\ufe0f", ""): e for e in allowed} if allowed is not None else None
        if known is not None and emoji and plain not in known:
            raise Refused(f"{emoji!r} is not a reaction this platform offers; it offers {' '.join(sorted(known))}")
        wanted = known.get(plain, emoji) if known is not None else emoji
        await self._patience.call(lambda: self._adapter.react(chat_id, message_id, wanted), Waiting())
        unmark(self._outbox.store, chat_id, message_id)
        return f"reacted with {wanted}" if emoji else "reaction removed"

    def _moved(self, outgoing: Outgoing, waiting: Waiting) -> Outgoing:
        if waiting.chat_id is None or outgoing.chat_id == waiting.chat_id:
            return outgoing
        self._access.move_group(outgoing.chat_id, waiting.chat_id)
        self._history.moved(outgoing.chat_id, waiting.chat_id)
        return replace(outgoing, chat_id=waiting.chat_id)

    def _result(self, shipment: Shipment, total: int, waiting: Waiting) -> str:
        ids = shipment.ids()
        unknown = [n + 1 for n, (state, _) in sorted(shipment.parts.items()) if state == "unknown"]
        if unknown:
            sent = f"sent: {', '.join(ids)}" if ids else "nothing else was sent"
            return (
                f"unknown: part {', '.join(map(str, unknown))} of {total} may or may not have arrived, and is not sent "
                f"again under this idempotency_key ({sent})"
            )
        text = f"sent (id: {ids[0]})" if total == 1 else f"sent {total} parts (ids: {', '.join(ids)})"
        if waiting.seconds:
            waiting.notes.append(f"waited {waiting.seconds:.0f} s for the platform's rate limit")
        self._outbox.done(shipment, text)
        return "; ".join([text, *waiting.notes])

    @staticmethod
    def _failure(shipment: Shipment, number: int, total: int, error: PlatformError) -> str:
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
