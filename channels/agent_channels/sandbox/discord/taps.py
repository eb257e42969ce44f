"""Taps on buttons, choices in menus and submitted modals, as the person sees them go."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.discord.components import ROW, buttons, fields_of, menus
from agent_channels.sandbox.discord.interactions import SUBMIT, Interaction, InteractionApi
from agent_channels.sandbox.discord.records import Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S

__all__ = ["ComponentTap", "InteractionAnswer", "button_at", "menu_at"]

LOADING = 128


@dataclass(frozen=True)
class InteractionAnswer:
    """What the bot said to an interaction: its callback type (4, 5, 6, 7 or 9), and what the person sees of it.

    `text` is "" unless a message was sent (4) or edited (7); `modal` is there after 9.
    """

    type: int
    text: str
    ephemeral: bool
    message: Message | None
    modal: dict[str, Any] | None


@dataclass
class ComponentTap:
    """An interaction under way to the bot."""

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
        """The bot's first answer, None as long as there is none."""
        one = self.interaction
        if not one.answer_type:
            return None
        message = self._shown(one.original) if one.original is not None else None
        text = str(message["content"]) if message and one.answer_type in {4, 7} else ""
        return InteractionAnswer(one.answer_type, text, one.ephemeral, message, copy.deepcopy(one.modal))

    @property
    def failed(self) -> bool:
        """Whether the person reads "This interaction failed": three seconds without an answer."""
        return self.interactions.failed(self.interaction)

    @property
    def messages(self) -> list[Message]:
        """The messages the bot sent in answer, as they look now; those still loading or deleted are left out."""
        found = [self._shown(number) for number in self.interaction.shown]
        return [one for one in found if one is not None and not one["flags"] & LOADING]

    async def answered(self, timeout: float = DEFAULT_TIMEOUT_S) -> InteractionAnswer:
        """Waits for the bot's first answer. Raises TimeoutError."""
        return await self.interactions.state.wait_for(lambda: self.answer, timeout)

    async def said(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Waits for the next message in answer, by callback or follow-up, that nobody waited for yet."""

        def unread() -> Message | None:
            for message in self.messages:
                if int(message["id"]) not in self._read:
                    self._read.add(int(message["id"]))
                    return message
            return None

        return await self.interactions.state.wait_for(unread, timeout)

    def submit(self, **values: str | list[str]) -> ComponentTap:
        """Fills in the modal the bot opened, by custom_id, and sends it. Raises LookupError or ValueError."""
        modal = self.interaction.modal
        if modal is None:
            raise LookupError("the bot opened no modal: its answer is not of type 9")
        known = {inner["custom_id"] for _, inner in fields_of(modal)}
        if unknown := set(values) - known:
            raise LookupError(f"no field {sorted(unknown)} in the modal; its fields: {sorted(known)}")
        components = []
        for outer, inner in fields_of(modal):
            filled = _filled(inner, values.get(inner["custom_id"]))
            about = {"type": outer["type"], "id": outer["id"]}
            components.append(
                {**about, "components": [filled]} if outer["type"] == ROW else {**about, "component": filled}
            )
        data = {"custom_id": modal["custom_id"], "components": components}
        one = self.interaction
        return ComponentTap(
            self.interactions, self.interactions.start(SUBMIT, one.user, one.channel, one.message, data)
        )

    def _shown(self, number: int) -> Message | None:
        state, one = self.interactions.state, self.interaction
        kept = state.ephemerals.get(number)
        message = kept.message if kept else one.channel.messages.get(number)
        return render(state, one.channel, message) if message is not None else None


def _filled(inner: dict[str, Any], value: str | list[str] | None) -> dict[str, Any]:
    made = {"type": inner["type"], "id": inner["id"], "custom_id": inner["custom_id"]}
    if inner["type"] != 4:
        return {**made, "values": [value] if isinstance(value, str) else value or []}
    text = str(value if value is not None else inner.get("value") or "")
    low, high = inner.get("min_length") or 0, inner.get("max_length") or 4000
    if not text and inner.get("required", True):
        raise ValueError(f"field {inner['custom_id']!r} must be filled in")
    if text and not low <= len(text) <= high:
        raise ValueError(f"field {inner['custom_id']!r} takes {low}-{high} characters, not {len(text)}")
    return {**made, "value": text}


def button_at(message: Message, row: int, col: int, label: str | None, custom_id: str | None) -> dict[str, Any]:
    """A button by place, label or custom_id; a custom_id that is not there is forged. Raises LookupError."""
    rows = buttons(message)
    known = [one for line in rows for one in line]
    if custom_id is not None:
        forged: dict[str, Any] = {"type": 2, "custom_id": custom_id, "id": 1}
        return next((one for one in known if one.get("custom_id") == custom_id), forged)
    if label is not None:
        found = [one for one in known if one.get("label") == label]
    else:
        found = [rows[row][col]] if 0 <= row < len(rows) and 0 <= col < len(rows[row]) else []
    if not found:
        labels = [[one.get("label") for one in line] for line in rows]
        wanted = f"labelled {label!r}" if label is not None else f"in row {row}, column {col}"
        raise LookupError(f"message {message['id']} has no button {wanted}; its buttons: {labels}")
    button = found[0]
    if "custom_id" not in button:
        raise LookupError(f"button {button.get('label')!r} sends nothing to the bot: it opens {button.get('url')}")
    if button.get("disabled"):
        raise LookupError(f"button {button.get('label')!r} is disabled")
    return button


def menu_at(message: Message, wanted: Iterable[str], custom_id: str | None) -> tuple[dict[str, Any], list[str]]:
    """The menu that has these values or labels, and the values. Raises LookupError or ValueError."""
    chosen = list(wanted)
    found = [one for one in menus(message) if custom_id in {None, one["custom_id"]}]
    for menu in found:
        by_name = {str(one["label"]): str(one["value"]) for one in reversed(menu["options"])}
        by_name |= {str(one["value"]): str(one["value"]) for one in menu["options"]}
        if not all(one in by_name for one in chosen):
            continue
        if menu.get("disabled"):
            raise LookupError(f"menu {menu['custom_id']!r} is disabled")
        low, high = menu["min_values"], menu["max_values"]
        if not low <= len(chosen) <= high:
            raise ValueError(f"menu {menu['custom_id']!r} takes {low}-{high} values, not {len(chosen)}")
        return menu, [by_name[one] for one in chosen]
    options = [[one["label"] for one in menu["options"]] for menu in found]
    raise LookupError(f"message {message['id']} has no menu with {chosen}; its menus: {options}")
