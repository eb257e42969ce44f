"""Edits of what was sent, no faster than the platform shows them: of several close together, the last one lands."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import anyio

from agent_channels.core.buttons.layout import check_grid, lay_out
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Grid, Keyboard, Sent
from agent_channels.core.errors import ParseFailed, PlatformError, Refused
from agent_channels.core.journal.history import History
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.outbound.compose import drawn, legended
from agent_channels.core.outbound.retry import Retrier, SendReport
from agent_channels.core.people.access import Access
from agent_channels.core.text.formatted_text import RenderedPart

__all__ = ["Edit", "Edits"]

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Edit:
    """What a message shall read. `keep`: an open grid stays as it is, else `grid` (or nothing) takes its place."""

    chat_id: str
    message_id: str
    text: str
    format: str
    grid: Grid | None = None
    keep: bool = True


@dataclass(slots=True)
class _Line:
    """The edits of one message. `waiting`: those that are neither shown nor replaced, in order."""

    waiting: list[Edit] = field(default_factory=list)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    news: anyio.Event = field(default_factory=anyio.Event)
    due: float = 0.0


class Edits:
    """Edits; `turn` is the right to send in a chat, `ttl_s` how long a new grid stays open."""

    def __init__(
        self,
        adapter: Adapter,
        access: Access,
        panels: Panels,
        outbox: Outbox,
        patience: Retrier,
        turn: Callable[[str], AbstractAsyncContextManager[None]],
        ttl_s: float,
    ) -> None:
        self._adapter, self._access, self._panels, self._outbox = adapter, access, panels, outbox
        self._patience, self._turn, self._ttl_s = patience, turn, ttl_s
        self._history = History(outbox.store)
        self._lines: defaultdict[tuple[str, str], _Line] = defaultdict(_Line)

    async def edit(self, edit: Edit) -> str:
        """Replaces a message of ours, and says whether it was shown, or a newer edit took its place.

        Raises `Refused` for what cannot be edited, `PlatformError` when the platform does not do it.
        """
        part = await self._checked(edit)
        line = self._line(edit)
        line.waiting.append(edit)
        line.news.set()
        try:
            async with line.lock:
                if await self._replaced(line, edit):
                    return f"not shown: replaced by a newer edit of the same message (id: {edit.message_id})"
                line.due = time.monotonic() + self._adapter.limits.edit_every_s
                async with self._turn(edit.chat_id):
                    return await self._shown(edit, part)
        finally:
            line.waiting.remove(edit)

    async def _checked(self, edit: Edit) -> RenderedPart:
        self._access.require_target(edit.chat_id, self._adapter.channel)
        # Else an agent could rewrite the card that asks for its own permission.
        if not self._outbox.holds(edit.chat_id, edit.message_id):
            raise Refused(
                f"message {edit.message_id!r} cannot be edited: only a message that the bot sent by reply or ask can, "
                "and none that is older than what is kept"
            )
        if not edit.text.strip():
            raise Refused("text is empty; a message cannot be emptied")
        if edit.grid:
            check_grid(edit.grid, self._adapter.limits)
        held = self._panels.open_on(edit.chat_id, edit.message_id) if edit.keep else None
        text = legended(self._adapter, edit.text, edit.format, held.grid if held else edit.grid)
        parts = await drawn(self._adapter, text, edit.format)
        if len(parts) > 1:
            raise Refused(
                f"text is longer than one message ({self._adapter.limits.text:,} characters); an edit cannot be split: "
                "shorten it, or send a reply"
            )
        return parts[0]

    def _line(self, edit: Edit) -> _Line:
        if len(self._lines) > KEPT:
            idle = [key for key, line in self._lines.items() if not line.waiting and line.due < time.monotonic()]
            for key in idle:
                del self._lines[key]
        return self._lines[edit.chat_id, edit.message_id]

    async def _replaced(self, line: _Line, edit: Edit) -> bool:
        """Waits until the platform takes another edit; True at once when a newer one says all that this one does."""
        while not _outdated(line, edit):
            left = line.due - time.monotonic()
            if left <= 0:
                return False
            line.news = anyio.Event()
            with anyio.move_on_after(left):
                await line.news.wait()
        return True

    async def _shown(self, edit: Edit, part: RenderedPart) -> str:
        held = self._panels.open_on(edit.chat_id, edit.message_id)
        panel_id, keyboard = None, None
        if edit.grid:
            panel_id = self._panels.create(
                edit.chat_id, edit.grid, ttl_s=self._ttl_s, thread_id=held.thread_id if held else None
            )
            keyboard = lay_out(panel_id, edit.grid, self._adapter.limits)
        elif edit.keep and held:
            panel_id, keyboard = held.id, lay_out(held.id, held.grid, self._adapter.limits)
        waiting = SendReport()
        try:
            sent = await self._sent(edit, part, keyboard, waiting)
        except PlatformError:
            if edit.grid and panel_id:
                self._panels.discard(panel_id)
            raise
        self._history.changed(edit.chat_id, edit.message_id, edit.text)
        if panel_id:
            self._panels.bind(panel_id, sent.message_id, sent.snapshot)
        elif held:
            self._panels.close_on(edit.chat_id, edit.message_id)
        return "; ".join([f"edited (id: {sent.message_id})", *waiting.notes])

    async def _sent(self, edit: Edit, part: RenderedPart, keyboard: Keyboard | None, waiting: SendReport) -> Sent:
        chat_id, message_id = edit.chat_id, edit.message_id
        try:
            return await self._patience.call(lambda: self._adapter.edit(chat_id, message_id, part, keyboard), waiting)
        except ParseFailed as error:
            if part.format == "text":
                raise
            waiting.notes.append(plain_note(error))
        plain = RenderedPart(part.plain, "text", part.plain)
        return await self._patience.call(lambda: self._adapter.edit(chat_id, message_id, plain, keyboard), waiting)


def plain_note(error: ParseFailed) -> str:
    """What a result says of a text that went without its formatting."""
    return f"sent as plain text, since the platform could not parse the formatting ({error})"


def _outdated(line: _Line, edit: Edit) -> bool:
    """A newer edit takes an older one's place unless the older one changes the grid, and the newer one keeps it."""
    newer = line.waiting[next(index for index, one in enumerate(line.waiting) if one is edit) + 1 :]
    return any(edit.keep or not one.keep for one in newer)
