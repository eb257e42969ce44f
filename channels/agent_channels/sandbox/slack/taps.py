"""Taps, menu choices, commands and submitted modals, as the person who made them sees the app's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S
from agent_channels.sandbox.slack.elements import inputs
from agent_channels.sandbox.slack.interactions import SUBMIT, AppInteraction, AppInteractions
from agent_channels.sandbox.slack.records import Message

__all__ = ["AppAnswer", "SlackTap"]


@dataclass(frozen=True)
class AppAnswer:
    """The app's answer to an interaction, and what the person sees of it.

    `text` is that of the first message that came with it or over the response URL, `ephemeral`: they alone see it.
    `modal` is the view that is open for them, `errors` what the app found wrong with a submitted one, by block id.
    """

    text: str
    ephemeral: bool
    message: Message | None
    modal: dict[str, Any] | None
    errors: dict[str, str]


@dataclass
class SlackTap:
    """An interaction that the app has or has not answered yet."""

    interactions: AppInteractions
    interaction: AppInteraction
    _read: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The interaction's id."""
        return self.interaction.id

    @property
    def answer(self) -> AppAnswer | None:
        """The app's answer, None while its envelope is not answered."""
        if self.interaction.answered is None:
            return None
        first = next(iter(self.messages), None)
        ephemeral = bool(first and first.get("is_ephemeral"))
        submitted = self.interaction.views[0] if self.interaction.kind == SUBMIT else ""
        errors = self.interactions.views.errors.get(submitted, {})
        return AppAnswer(str(first["text"]) if first else "", ephemeral, first, self.modal, errors)

    @property
    def modal(self) -> dict[str, Any] | None:
        """The modal that is open for the person and that this interaction opened, or submitted and left open."""
        top = self.interactions.views.top(self.interaction.user.id)
        if top is None:
            return None
        of_this = {top["id"], top["root_view_id"]} & set(self.interaction.views)
        return dict(top) if of_this else None

    @property
    def failed(self) -> bool:
        """Whether the person sees a warning: no answer within three seconds."""
        return self.interactions.failed(self.interaction)

    @property
    def messages(self) -> list[Message]:
        """The messages that answer it, as they look now: those of the response URL, and ephemeral ones since then.

        Slack does not say what an ephemeral message answers: people take those that come next in that place for it.
        """
        state, made = self.interactions.state, self.interaction
        own: list[tuple[int, Message]] = []
        for key in made.sent:
            ephemeral = state.ephemerals.get(key)
            message = (
                ephemeral.message if ephemeral else (made.conversation.messages.get(key) if made.conversation else None)
            )
            if message is not None:
                own.append((key, message))
        known = {key for key, _ in own}
        for key, ephemeral in state.ephemerals.items():
            here = made.conversation is None or ephemeral.conversation is made.conversation
            if key not in known and here and ephemeral.user_id == made.user.id and key > made.at * 1_000_000:
                own.append((key, ephemeral.message))
        return [state.render(message) for _, message in sorted(own, key=lambda one: one[0])]

    async def answered(self, timeout: float = DEFAULT_TIMEOUT_S) -> AppAnswer:
        """Wait for the answer to the envelope. Raises TimeoutError."""
        return await self.interactions.state.wait_for(lambda: self.answer, timeout)

    async def opened(self, timeout: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        """Wait for the modal. Raises TimeoutError."""
        return await self.interactions.state.wait_for(lambda: self.modal, timeout)

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the next message in answer, each message once. Raises TimeoutError."""

        def unread() -> Message | None:
            for message in self.messages:
                if message["ts"] not in self._read:
                    self._read.add(message["ts"])
                    return message
            return None

        return await self.interactions.state.wait_for(unread, timeout)

    def submit(self, **values: str | list[str]) -> SlackTap:
        """Fill in the modal by action_id or block_id, and submit it. Raises LookupError or ValueError."""
        view = self.modal
        if view is None:
            raise LookupError("the app opened no modal")
        known = {name for block, element in inputs(view) for name in (block["block_id"], element["action_id"])}
        if unknown := set(values) - known:
            raise LookupError(f"no field {sorted(unknown)} in the modal; its fields: {sorted(known)}")
        filled: dict[str, Any] = {}
        for block, element in inputs(view):
            value = values.get(element["action_id"], values.get(block["block_id"]))
            filled[block["block_id"]] = {element["action_id"]: _filled(block, element, value)}
        return SlackTap(self.interactions, self.interactions.submit(self.interaction.user, view, filled))

    def cancel(self) -> SlackTap | None:
        """Close the modal without submitting it."""
        view = self.modal
        if view is None:
            raise LookupError("the app opened no modal")
        made = self.interactions.close(self.interaction.user, view)
        return SlackTap(self.interactions, made) if made else None


def _filled(block: dict[str, Any], element: dict[str, Any], value: str | list[str] | None) -> dict[str, Any]:
    kind, optional = element["type"], bool(block.get("optional"))
    if kind == "static_select":
        found = next((one for one in element["options"] if value in {one["value"], one["text"]["text"]}), None)
        if found is None and (value is not None or not (optional or "initial_option" in element)):
            raise ValueError(f"field {element['action_id']!r} has no option {value!r}")
        return {"type": kind, "selected_option": found or element.get("initial_option")}
    text = str(value if value is not None else element.get("initial_value") or "")
    low, high = element.get("min_length") or 0, element.get("max_length") or 3000
    if not text and not optional:
        raise ValueError(f"field {element['action_id']!r} must be filled in")
    if text and not low <= len(text) <= high:
        raise ValueError(f"field {element['action_id']!r} takes {low}-{high} characters, not {len(text)}")
    return {"type": kind, "value": text or None}
