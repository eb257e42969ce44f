"""Taps, menu choices, commands and submitted modals, as the person who made them sees the bot's answer."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.discord.components import ROW, TEXT_INPUT, modal_inputs
from agent_channels.sandbox.discord.interactions import REPLY, SUBMIT, UPDATE, Interaction, InteractionApi
from agent_channels.sandbox.discord.message_form import LOADING
from agent_channels.sandbox.discord.records import Message
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

__all__ = ["ComponentTap", "InteractionAnswer"]


@dataclass(frozen=True)
class InteractionAnswer:
    """The bot's first answer to an interaction: its callback type (4, 5, 6, 7 or 9), and what the person sees of it.

    `text` is "" unless a message was sent (4) or edited (7); `modal` is set after 9.
    """

    type: int
    text: str
    ephemeral: bool
    message: Message | None
    modal: dict[str, Any] | None


@dataclass
class ComponentTap:
    """An interaction that the bot has or has not answered yet."""

    interactions: InteractionApi
    interaction: Interaction
    _read: set[int] = field(default_factory=set)

    @property
    def id(self) -> int:
        """The interaction's id."""
        return self.interaction.id

    @property
    def token(self) -> str:
        """The interaction's token."""
        return self.interaction.token

    @property
    def answer(self) -> InteractionAnswer | None:
        """The bot's first answer, None while there is none."""
        interaction = self.interaction
        if not interaction.answer_type:
            return None
        message = self._rendered(interaction.original) if interaction.original is not None else None
        text = str(message["content"]) if message and interaction.answer_type in {REPLY, UPDATE} else ""
        return InteractionAnswer(
            interaction.answer_type, text, interaction.ephemeral, message, copy.deepcopy(interaction.modal)
        )

    @property
    def failed(self) -> bool:
        """Whether the person sees "This interaction failed": no answer within three seconds."""
        return self.interactions.failed(self.interaction)

    @property
    def messages(self) -> list[Message]:
        """The messages the bot sent in answer, as they look now, without deleted and still loading ones."""
        found = [self._rendered(number) for number in self.interaction.sent]
        return [message for message in found if message is not None and not message["flags"] & LOADING]

    async def answered(self, timeout: float = DEFAULT_TIMEOUT_S) -> InteractionAnswer:
        """Wait for the bot's first answer. Raises TimeoutError."""
        return await self.interactions.state.wait_for(lambda: self.answer, timeout)

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the next message in answer, by callback or follow-up, each message once. Raises TimeoutError."""

        def unread() -> Message | None:
            for message in self.messages:
                if int(message["id"]) not in self._read:
                    self._read.add(int(message["id"]))
                    return message
            return None

        return await self.interactions.state.wait_for(unread, timeout)

    def submit(self, **values: str | list[str]) -> ComponentTap:
        """Fill in the modal the bot opened, by custom_id, and submit it. Raises LookupError or ValueError."""
        modal = self.interaction.modal
        if modal is None:
            raise LookupError("the bot opened no modal: its answer is not of type 9")
        known = {inner["custom_id"] for _, inner in modal_inputs(modal)}
        if unknown := set(values) - known:
            raise LookupError(f"no field {sorted(unknown)} in the modal; its fields: {sorted(known)}")
        components = []
        for outer, inner in modal_inputs(modal):
            filled = _filled(inner, values.get(inner["custom_id"]))
            content = {"components": [filled]} if outer["type"] == ROW else {"component": filled}
            components.append({"type": outer["type"], "id": outer["id"], **content})
        data = {"custom_id": modal["custom_id"], "components": components}
        interaction = self.interaction
        submitted = self.interactions.start(SUBMIT, interaction.user, interaction.channel, interaction.message, data)
        return ComponentTap(self.interactions, submitted)

    def _rendered(self, number: int) -> Message | None:
        state, channel = self.interactions.state, self.interaction.channel
        ephemeral = state.ephemerals.get(number)
        message = ephemeral.message if ephemeral else channel.messages.get(number)
        return state.render(channel, message) if message is not None else None


def _filled(inner: dict[str, Any], value: str | list[str] | None) -> dict[str, Any]:
    made = {"type": inner["type"], "id": inner["id"], "custom_id": inner["custom_id"]}
    if inner["type"] != TEXT_INPUT:
        return {**made, "values": [value] if isinstance(value, str) else value or []}
    text = str(value if value is not None else inner.get("value") or "")
    low, high = inner.get("min_length") or 0, inner.get("max_length") or 4000
    if not text and inner.get("required", True):
        raise ValueError(f"field {inner['custom_id']!r} must be filled in")
    if text and not low <= len(text) <= high:
        raise ValueError(f"field {inner['custom_id']!r} takes {low}-{high} characters, not {len(text)}")
    return {**made, "value": text}
