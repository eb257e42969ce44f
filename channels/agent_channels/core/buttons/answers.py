"""Answers to grids, tapped or typed: who may give one, what it counts for, and what the person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_channels.core.contract.messages import Message, ReplyContext, Tap
from agent_channels.core.journal.inbox import Event
from agent_channels.core.text.sanitize import attribute, content

if TYPE_CHECKING:
    # Hooks share this file, and what grids need is heavy for them.
    from agent_channels.core.buttons.panels import Press
import re
from collections.abc import Awaitable, Callable

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panel, Panels, Press
from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import AnswerResult, Prompts
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Button, Grid, Outgoing
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.events import _add_thread, _who, message_event
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.people.access import Access, Verdict
from agent_channels.core.text.sanitize import label

__all__ = ["ButtonAnswers", "Errand", "tap_event"]

Errand = Callable[[], Awaitable[None]]
# Typed verdicts name the request they are for, as the reference channel plugins have it.
_VERDICT = re.compile(r"\s*(y|yes|n|no)\s+([a-km-z]{5})\s*", re.IGNORECASE)


class ButtonAnswers:
    """Decides about answers inside the transaction of their event; what to tell the platform waits in `todo`."""

    def __init__(self, adapter: Adapter, inbox: Inbox, access: Access, decided: Callable[[], None]) -> None:
        """`decided` rings for whoever waits for an answer, or has to show one."""
        self._adapter, self._inbox, self._access, self._decided = adapter, inbox, access, decided
        self._panels, self._prompts = Panels(inbox.store), Prompts(inbox.store)
        self._history = History(inbox.store)
        self.todo: list[Errand] = []

    # ---- tapped

    def tap(self, entry_id: int, tap: Tap) -> None:
        """A press on a button, by anybody."""
        self._access.seen(tap.chat, tap.sender)
        # Standing in the group is asked, not a mention: a tap is always addressed.
        if self._access.decide(tap.chat, tap.sender, addressed=True) is not Verdict.PASS:
            self._inbox.drop(entry_id)
            self._answer(tap, translate("tap_not_allowed"), alert=True)
            return
        located = self._panels.locate(tap.data, tap.chat.id, tap.message_id, tap.snapshot)
        if located and located[0].prompt_id:
            self._prompt_tap(entry_id, tap, *located)
        else:
            self._panel_tap(entry_id, tap)

    def _panel_tap(self, entry_id: int, tap: Tap) -> None:
        if tap.text is not None:
            # The question behind the form is gone, and words are no choice.
            self._inbox.drop(entry_id)
            self._answer(tap, translate("tap_unknown"), alert=True)
            return
        press = self._panels.press(tap.data, tap.chat.id, tap.message_id, tap.sender, tap.snapshot)
        if press.refused is None and press.button is not None:
            self._open(entry_id, tap_event(tap, press))
            self._answer(
                tap, translate("tap_accepted", label=label(press.button.label, 150)), alert=False, counted=True
            )
            self._decided()
            return
        self._inbox.drop(entry_id)
        if press.refused == "answered":
            self._answer(tap, translate("tap_answered", label=label(press.outcome or "", 120)), alert=False)
            return
        self._answer(tap, translate(f"tap_{press.refused}"), alert=True)
        # Never the keyboard of a question that is still open, whatever data somebody made up.
        if press.refused != "foreign" and self._panels.open_on(tap.chat.id, tap.message_id) is None:
            self.todo.append(lambda: self._adapter.close_panel(tap.chat.id, tap.message_id, tap.snapshot, ""))

    def _prompt_tap(self, entry_id: int, tap: Tap, panel: Panel, position: int) -> None:
        refused = self._may_not(panel, tap)
        if refused:
            answered = AnswerResult(refused, alert=True)
        elif tap.text is not None:
            answered = self._prompts.filled_in(panel, tap.text, tap.sender)
        else:
            answered = self._prompts.press(panel, position, tap.sender)
        counted = answered.final or answered.grid is not None
        self._answer(tap, answered.feedback, alert=answered.alert, counted=counted)
        self._settle(entry_id, tap, panel, answered)
        if answered.grid is not None:
            self._redraw(tap, panel.id, answered.grid)

    def _may_not(self, panel: Panel, said: Tap | Message) -> str | None:
        prompt = self._prompts.get(panel.prompt_id or "")
        if prompt is not None and prompt.kind != "ask":
            # Permission is given by approvers only, and face to face.
            if said.chat.kind != "direct" or not self._access.approver(said.sender.id):
                return translate("tap_not_allowed")
        elif panel.tappers is not None and said.sender.id not in panel.tappers:
            return translate("tap_foreign")
        return None

    # ---- typed

    def typed(self, entry_id: int, message: Message) -> bool:
        """Whether a message is an answer to a grid, and then counts it."""
        if (
            message.edited
            or message.reaction
            or message.forward_from
            or message.attachments
            or message.image is not None
        ):
            return False
        if self._verdict(entry_id, message):
            return True
        reply_to = message.reply.message_id if message.reply else None
        panel = self._panels.asked(message.chat.id, message.thread_id, reply_to)
        if panel is None:
            return False
        if panel.prompt_id:
            return self._prompt_typed(entry_id, message, panel)
        press = self._panels.typed(message.chat.id, message.thread_id, message.text, message.sender, reply_to)
        if press is None or press.refused is not None:
            return False
        self._inbox.open(entry_id, tap_event(message, press))
        self._decided()
        return True

    def _prompt_typed(self, entry_id: int, message: Message, panel: Panel) -> bool:
        prompt = self._prompts.get(panel.prompt_id or "")
        # A permission takes a tap or a verdict that names it, never a bare word.
        if prompt is None or prompt.kind == "permission" or self._may_not(panel, message):
            return False
        quoted = message.reply is not None and message.reply.message_id == panel.message_id
        answered = self._prompts.typed(panel, message.text, message.sender, quoted=quoted)
        if answered is None:
            return False
        self._settle(entry_id, message, panel, answered)
        return True

    def _verdict(self, entry_id: int, message: Message) -> bool:
        match = _VERDICT.fullmatch(message.text)
        if match is None or message.chat.kind != "direct" or not self._access.approver(message.sender.id):
            return False
        behavior = "allow" if match[1].lower().startswith("y") else "deny"
        answered = self._prompts.verdict(match[2].lower(), behavior, message.sender)
        if answered is None:
            return False
        self._inbox.drop(entry_id, "answered")
        text = translate("tap_relayed", label=answered.feedback) if answered.final else answered.feedback
        self.todo.append(lambda: self._said(message, text))
        self._decided()
        return True

    async def _said(self, message: Message, text: str) -> None:
        await self._adapter.send(Outgoing(message.chat.id, text, thread_id=message.thread_id))

    # ---- both

    def _settle(self, entry_id: int, said: Tap | Message, panel: Panel, answered: AnswerResult) -> None:
        """An `ask` that was answered keeps the answer as an event until the asker has it; the rest is no event."""
        prompt = answered.prompt
        if answered.final and prompt is not None and prompt.kind == "ask":
            event = _answer_event(said, panel, prompt)
            if isinstance(said, Tap):
                self._open(entry_id, event, prompt.id)
            else:
                # What was typed is in the history as it was typed.
                self._inbox.open(entry_id, event, prompt_id=prompt.id)
        else:
            self._inbox.drop(entry_id, "answered" if answered.final else "dropped")
        self._decided()

    def _open(self, entry_id: int, event: Event, prompt_id: str | None = None) -> None:
        self._inbox.open(entry_id, event, prompt_id=prompt_id)
        self._history.heard(event.chat_id, event.message_id, event.content, event.meta, event.thread_id, image=False)

    def _redraw(self, tap: Tap, panel_id: str, grid: Grid) -> None:
        keyboard = lay_out(panel_id, grid, self._adapter.limits)
        self.todo.append(lambda: self._adapter.edit_keyboard(tap.chat.id, tap.message_id, keyboard))

    def _answer(self, tap: Tap, text: str, *, alert: bool, counted: bool = False) -> None:
        self.todo.append(lambda: self._adapter.answer_tap(tap.tap_id, text, alert=alert, counted=counted))


def _as_message(tap: Tap) -> Message:
    """What was typed in a form, as the message it would have been without."""
    quote = ReplyContext(tap.message_id, None, None)
    return Message(
        tap.chat,
        tap.message_id,
        tap.sender,
        tap.ts,
        tap.text or "",
        addressed=True,
        thread_id=tap.thread_id,
        reply=quote,
    )


def _answer_event(said: Tap | Message, panel: Panel, prompt: Prompt) -> Event:
    """The event that an answer becomes when its asker is gone."""
    result = prompt.result or {}
    if "text" in result:
        return message_event(said if isinstance(said, Message) else _as_message(said))
    if "labels" in result:
        button = Button(", ".join(result["labels"]), ", ".join(result["values"]))
        return tap_event(said, Press(panel, None, button))
    button = Button(result.get("label", ""), result.get("value"))
    return tap_event(said, Press(panel, None, button, result.get("row", 0), result.get("col", 0)))


def tap_event(tap: Tap | Message, press: Press) -> Event:
    """The event of a button that counts: tapped, or its label or number typed."""
    button, panel = press.button, press.panel
    if button is None or panel is None:
        raise ValueError("only a press that counts becomes an event")
    message_id = panel.message_id or tap.message_id
    meta = _who(tap.chat, message_id, tap.sender, tap.ts)
    _add_thread(meta, tap.chat, tap.thread_id, tap.thread_name if isinstance(tap, Message) else None)
    meta |= {
        "button": "true",
        "button_label": attribute(button.label, 4096),
        "button_value": attribute(button.label if button.value is None else button.value, 4096),
        "button_row": str(press.row),
        "button_col": str(press.col),
        "panel_id": panel.id,
    }
    return Event(
        chat_id=tap.chat.id,
        message_id=message_id,
        user_id=tap.sender.id,
        content=content(button.label),
        meta=meta,
        thread_id=tap.thread_id,
        said_at=tap.ts.timestamp(),
    )
