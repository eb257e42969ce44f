"""The one place that all words pass on their way out: an adapter that shows people no credential."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Place
from agent_channels.core.contract.outgoing import Keyboard, Outgoing, Sent
from agent_channels.core.log import redact_tokens
from agent_channels.core.text.formatted_text import RenderedPart, Span

__all__ = ["masked_adapter", "sending_as_it_is"]

Written = TypeVar("Written", Outgoing, RenderedPart)
_as_it_is: ContextVar[bool] = ContextVar("as_it_is", default=False)


@contextmanager
def sending_as_it_is() -> Iterator[None]:
    """Within the block only the tokens of bots are masked: a person has decided that a text is sent as it is."""
    before = _as_it_is.set(True)
    try:
        yield
    finally:
        _as_it_is.reset(before)


def masked_adapter(adapter: Adapter, mask: Callable[[str], str]) -> Adapter:
    """Return the adapter; what it renders and sends went through `mask` first."""
    return cast("Adapter", _Masked(adapter, mask))


class _Masked:
    """An adapter before whose verbs every text is masked, rendering included: half a credential has another shape."""

    def __init__(self, adapter: Adapter, mask: Callable[[str], str]) -> None:
        self._adapter, self._mask = adapter, mask

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    async def __aenter__(self) -> Self:
        await self._adapter.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._adapter.__aexit__(kind, error, trace)

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        return self._adapter.render(self._masked(text), format_)

    async def send(self, outgoing: Outgoing) -> Sent:
        outgoing = self._safe(outgoing)
        if outgoing.keyboard:
            outgoing = replace(outgoing, keyboard=self._safe_keys(outgoing.keyboard))
        return await self._adapter.send(outgoing)

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        keyboard = self._safe_keys(keyboard) if keyboard else keyboard
        return await self._adapter.edit(chat_id, message_id, self._safe(part), keyboard)

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        await self._adapter.edit_keyboard(chat_id, message_id, self._safe_keys(keyboard))

    async def close_panel(self, chat_id: str, message_id: str, snapshot: str | None, outcome: str, **more: Any) -> None:
        await self._adapter.close_panel(chat_id, message_id, snapshot, self._mask(outcome), **more)

    async def create_thread(self, chat_id: str, name: str) -> Place:
        return await self._adapter.create_thread(chat_id, self._mask(name))

    async def rename_thread(self, place: Place, name: str) -> None:
        await self._adapter.rename_thread(place, self._mask(name))

    async def answer_tap(
        self, tap_id: str, text: str, *, alert: bool, counted: bool, spans: tuple[Span, ...] = ()
    ) -> None:
        masked = self._mask(text)
        spans = spans if masked == text else ()
        await self._adapter.answer_tap(tap_id, masked, alert=alert, counted=counted, spans=spans)

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        await self._adapter.show_draft(place, draft_id, self._mask(text))

    def _masked(self, text: str) -> str:
        return (redact_tokens if _as_it_is.get() else self._mask)(text)

    def _safe(self, written: Written) -> Written:
        """Return a message without credentials; one that was rendered before it was masked loses its formatting."""
        shown = written.plain or written.text
        masked = self._masked(shown)
        if masked == shown and (written.text == shown or self._masked(written.text) == written.text):
            return written
        return replace(written, text=masked, plain=masked, format="text", spans=(), rich=None)

    def _safe_keys(self, keyboard: Keyboard) -> Keyboard:
        return tuple(tuple(replace(key, label=self._mask(key.label)) for key in row) for row in keyboard)
