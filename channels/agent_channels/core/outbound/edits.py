"""Edits of sent messages, no faster than the platform shows them: of several close together, the last one lands."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import anyio

from agent_channels.core.buttons.layout import check_grid, lay_out
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.masked_adapter import sending_as_it_is
from agent_channels.core.contract.outgoing import Grid, Keyboard, Sent
from agent_channels.core.errors import ParseFailed, Refused, Unsupported
from agent_channels.core.frozen import frozen
from agent_channels.core.outbound.compose import render, sayable, with_legend
from agent_channels.core.outbound.outgoing_secrets import OutgoingSecrets
from agent_channels.core.outbound.retry import Retrier, SendReport
from agent_channels.core.outbound.rich_forms import RichForms
from agent_channels.core.services import Services
from agent_channels.core.text.formatted_text import RenderedPart

__all__ = ["Edit", "Edits"]

# So many messages are remembered as edited lately before idle ones are forgotten.
REMEMBERED_MAX = 1000


@frozen
class Edit:
    """What a message shall read. `keep_grid`: an open grid stays as it is, else `grid` (or nothing) replaces it."""

    chat_id: str
    message_id: str
    text: str
    format: str
    grid: Grid | None = None
    keep_grid: bool = True


@dataclass(slots=True)
class _Queue:
    """The edits of one message. `waiting` are those neither shown nor replaced, in order; `due`: monotonic time."""

    waiting: list[Edit] = field(default_factory=list)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    arrived: anyio.Event = field(default_factory=anyio.Event)
    due: float = 0.0


class Edits:
    """Edit messages that the agent sent, coalescing edits that come faster than `limits.edit_every_s`."""

    def __init__(
        self,
        adapter: Adapter,
        services: Services,
        retrier: Retrier,
        turn: Callable[[str], AbstractAsyncContextManager[None]],
        rich: RichForms,
        secrets: OutgoingSecrets,
        panel_ttl_s: float,
    ) -> None:
        """`turn(chat_id)` is the right to send in a chat; `panel_ttl_s` is how long a new grid stays open."""
        self._secrets = secrets
        self._adapter, self._services, self._retrier = adapter, services, retrier
        self._turn, self._rich, self._panel_ttl_s = turn, rich, panel_ttl_s
        self._queues: defaultdict[tuple[str, str], _Queue] = defaultdict(_Queue)

    async def edit(self, edit: Edit) -> str:
        """Replace a message of the agent's; return whether it was shown, or a newer edit replaced this one.

        Raises `Refused` for what cannot be edited, `PlatformError` if the platform does not do it.
        """
        report = SendReport()
        cleared = await self._secrets.clear(sayable(edit.text), edit.chat_id, edit.grid, report.notes)
        with sending_as_it_is() if cleared.as_it_is else nullcontext():
            return await self._edit(replace(edit, text=cleared.text), report, as_it_is=cleared.as_it_is)

    async def _edit(self, edit: Edit, report: SendReport, *, as_it_is: bool) -> str:
        part = await self._check(edit, as_it_is=as_it_is)
        queue = self._queue(edit)
        queue.waiting.append(edit)
        queue.arrived.set()
        try:
            async with queue.lock:
                if await self._replaced_while_waiting(queue, edit):
                    return f"not shown: replaced by a newer edit of the same message (id: {edit.message_id})"
                queue.due = time.monotonic() + self._adapter.limits.edit_every_s
                async with self._turn(edit.chat_id):
                    return await self._show(edit, part, report)
        finally:
            queue.waiting.remove(edit)

    async def _check(self, edit: Edit, *, as_it_is: bool) -> RenderedPart:
        self._services.access.require_target(edit.chat_id, self._adapter.channel)
        # Otherwise an agent could rewrite the card that asks for its own permission.
        if not self._services.outbox.contains(edit.chat_id, edit.message_id):
            raise Refused(
                f"message {edit.message_id!r} cannot be edited: only a message that the bot sent by reply or ask can, "
                "and only while its record is kept"
            )
        if not edit.text.strip():
            raise Refused("text is empty; a message cannot be emptied")
        if edit.grid:
            check_grid(edit.grid, self._adapter.limits)
        panel = self._services.panels.open_on(edit.chat_id, edit.message_id) if edit.keep_grid else None
        text = with_legend(self._adapter, edit.text, edit.format, panel.grid if panel else edit.grid)
        parts = await render(self._adapter, text, edit.format)
        self._secrets.refuse_shown(parts, as_it_is=as_it_is)
        if len(parts) > 1:
            raise Refused(
                f"text is longer than one message ({self._adapter.limits.text:,} characters); an edit cannot be split: "
                "shorten it, or send a reply"
            )
        return parts[0]

    def _queue(self, edit: Edit) -> _Queue:
        if len(self._queues) > REMEMBERED_MAX:
            idle = [key for key, queue in self._queues.items() if not queue.waiting and queue.due < time.monotonic()]
            for key in idle:
                del self._queues[key]
        return self._queues[edit.chat_id, edit.message_id]

    async def _replaced_while_waiting(self, queue: _Queue, edit: Edit) -> bool:
        """Wait until the platform takes another edit; return True at once if a newer one says all this one does."""
        while not _is_outdated(queue, edit):
            left = queue.due - time.monotonic()
            if left <= 0:
                return False
            queue.arrived = anyio.Event()
            with anyio.move_on_after(left):
                await queue.arrived.wait()
        return True

    async def _show(self, edit: Edit, part: RenderedPart, report: SendReport) -> str:
        panels = self._services.panels
        open_panel = panels.open_on(edit.chat_id, edit.message_id)
        panel_id, keyboard = None, None
        if edit.grid:
            thread_id = open_panel.thread_id if open_panel else None
            panel_id = panels.create(edit.chat_id, edit.grid, ttl_s=self._panel_ttl_s, thread_id=thread_id)
            keyboard = lay_out(panel_id, edit.grid, self._adapter.limits)
        elif edit.keep_grid and open_panel:
            panel_id, keyboard = open_panel.id, lay_out(open_panel.id, open_panel.grid, self._adapter.limits)
        with panels.sending(panel_id) if edit.grid and panel_id else nullcontext():
            sent = await self._send(edit, part, keyboard, report)
        self._services.history.edit_sent(edit.chat_id, edit.message_id, edit.text)
        if panel_id:
            panels.bind(panel_id, sent.message_id, sent.snapshot)
        elif open_panel:
            panels.close_on(edit.chat_id, edit.message_id)
        return "; ".join([f"edited (id: {sent.message_id})", *report.notes])

    async def _send(self, edit: Edit, part: RenderedPart, keyboard: Keyboard | None, report: SendReport) -> Sent:
        # A message with buttons is plain: to close it later, its whole content would have to be sent again.
        if part.rich is not None and (keyboard or not self._rich.wanted(edit.chat_id)):
            part = replace(part, rich=None)
        while True:
            write = partial(self._adapter.edit, edit.chat_id, edit.message_id, part, keyboard)
            try:
                sent = await self._retrier.call(write, report)
            except (ParseFailed, Unsupported) as error:
                part = self._rich.plainer(part, error, report)
            else:
                if part.rich is not None:
                    self._rich.worked()
                return sent


def _is_outdated(queue: _Queue, edit: Edit) -> bool:
    """Return True if a newer edit replaces this one: unless this one changes the grid and the newer one keeps it."""
    newer = queue.waiting[next(index for index, other in enumerate(queue.waiting) if other is edit) + 1 :]
    return any(edit.keep_grid or not other.keep_grid for other in newer)
