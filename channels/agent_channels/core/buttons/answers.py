"""Answers to grids, tapped or typed: who may give one, what it counts for, and what the person is told."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from agent_channels.core.buttons.approval_cards import send_whole_change
from agent_channels.core.buttons.forget_offers import Until, is_forget_offer, words_to_forget
from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panel, Panels, Press
from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import AnswerResult, Prompts
from agent_channels.core.buttons.secret_offers import KEEP, is_secret_offer
from agent_channels.core.buttons.turn_buttons import TurnButtons, is_stop, stopping_words
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message, ReplyContext, Tap
from agent_channels.core.contract.outgoing import Button, Grid, Outgoing
from agent_channels.core.errors import Forbidden, Refused, Rejected
from agent_channels.core.files.storage import Files
from agent_channels.core.host.turns import Place
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.events import add_thread, message_event, sender_meta
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.people.access import Access
from agent_channels.core.scheduling import Budget, Courtesy, FollowUp
from agent_channels.core.store.audit import Audit
from agent_channels.core.text.formatted_text import Span, spans_over
from agent_channels.core.text.sanitize import attribute, content, label
from agent_channels.core.text.units import truncate

__all__ = ["ButtonAnswers", "tap_event"]

logger = logging.getLogger(__name__)
# Typed verdicts name the request they are for, as the reference channel plugins have it.
_VERDICT = lazy_pattern(r"\s*(y|yes|n|no)\s+([a-km-z]{5})\s*", re.IGNORECASE)


# So many messages that one person alone sees may follow taps at once, one of them for each person, and one more every
# ten seconds: they use up a group's rate limit too.
DETAILS_MAX, DETAILS_EACH_S = 6, 10.0
# How much of an answer given before is told.
OUTCOME_MAX = 1000
# So many taps of people who may not, or on what is no button of ours, are recorded in an hour.
UNKNOWN_TAPS_MAX = 100
# Of those who may answer, so many are named.
NAMED_MAX = 20


class Forgets(Protocol):
    """What deletes the saved messages of a chat that have some words in them."""

    def forget(self, chat_id: str, words: str, user_id: str, until: Until) -> str:
        """Delete them for this person, as far as they were counted; return the sentence that says how many."""
        ...

    async def empty_journal(self) -> None:
        """Leave nothing of them in the database's journal."""
        ...


class Details(NamedTuple):
    """What somebody needs to know besides, with a part of it to copy."""

    text: str
    code: str


class ButtonAnswers:
    """Decide about answers inside the transaction of their event.

    What to tell the platform afterwards is appended to the `follow_ups` that each method is given.
    """

    def __init__(
        self,
        adapter: Adapter,
        inbox: Inbox,
        history: History,
        access: Access,
        prompts: Prompts,
        panels: Panels,
        turn_buttons: TurnButtons,
        files: Files,
        forgetting: Forgets,
    ) -> None:
        self._adapter, self._inbox, self._history, self._access = adapter, inbox, history, access
        self._forgetting = forgetting
        self._prompts, self._panels, self._turn_buttons, self._files = prompts, panels, turn_buttons, files
        self._audit = Audit(inbox.store)
        self._details = Budget(DETAILS_MAX, 1, lambda: time.monotonic() / DETAILS_EACH_S)

    # ---- tapped

    def tap(self, entry_id: int, tap: Tap, follow_ups: list[FollowUp]) -> bool:
        """Handle a tap by somebody the gate lets through; return True if an answer may have been given."""
        if tap.forged and self._panels.is_open(tap.data):
            # Under a question that is over there are no buttons any more: who taps then is told how it ended.
            self._inbox.end(entry_id)
            self._tell(tap, translate("tap_unknown"), follow_ups, alert=True)
            return False
        located = self._panels.locate(tap.data, tap.chat.id, tap.message_id, tap.snapshot)
        self._record(tap, located)
        if located and (copied := located[0].cells()[located[1]][2].copy):
            # The platform has no buttons that copy.
            self._inbox.end(entry_id)
            self._tell(tap, copied, follow_ups, spans=(Span("pre", 0, len(copied)),))
            return False
        if located and located[0].prompt_id:
            self._tap_prompt(entry_id, tap, *located, follow_ups)
            return True
        if located and is_secret_offer(located[0]):
            return self._tap_secret_offer(entry_id, tap, follow_ups)
        if located and is_forget_offer(located[0]):
            return self._tap_forget_offer(entry_id, tap, located[0], follow_ups)
        if located and located[0].turn_id:
            return self._tap_turn(entry_id, tap, located[0], located[0].turn_id, follow_ups)
        return self._tap_panel(entry_id, tap, follow_ups)

    def _record(self, tap: Tap, located: tuple[Panel, int] | None) -> None:
        """Record who tapped what; of what refers to nothing, no more than somebody can do by mistake."""
        if located is not None:
            button = located[0].cells()[located[1]][2]
            self._audit.add("tap", tap.sender.id, f"{button.label[:200]}; panel {located[0].id}, chat {tap.chat.id}")
        else:
            self._record_invalid("tap without a panel", tap)

    def _record_invalid(self, what: str, tap: Tap) -> None:
        if self._audit.count(what, since=time.time() - 3600) < UNKNOWN_TAPS_MAX:
            self._audit.add(what, tap.sender.id, f"chat {tap.chat.id}")

    def refuse_tap(self, entry_id: int, tap: Tap, follow_ups: list[FollowUp]) -> None:
        """Tell somebody the gate does not let through that they may not answer."""
        self._inbox.end(entry_id)
        self._record_invalid("tap refused", tap)
        # A stranger's direct chat has nothing that they could still answer.
        details = Details(translate("tap_not_allowed_id", user_id=tap.sender.id), tap.sender.id)
        in_group = tap.chat.kind == "group"
        self._tell(tap, translate("tap_not_allowed"), follow_ups, alert=True, details=details if in_group else None)

    def _tap_panel(self, entry_id: int, tap: Tap, follow_ups: list[FollowUp]) -> bool:
        if tap.text is not None:
            # The question behind the form is gone, and a text is not a choice.
            self._inbox.end(entry_id)
            self._tell(tap, translate("tap_unknown"), follow_ups, alert=True)
            return False
        press = self._panels.press(tap.data, tap.chat.id, tap.message_id, tap.sender, tap.snapshot)
        if press.refused is None and press.button is not None:
            self._open(entry_id, tap_event(tap, press))
            self._accept(tap, press.button, follow_ups)
            return True
        self._inbox.end(entry_id)
        self._refuse(tap, press, follow_ups)
        return False

    def _tap_turn(self, entry_id: int, tap: Tap, panel: Panel, turn_id: str, follow_ups: list[FollowUp]) -> bool:
        """Count a tap on a button about a turn, which the agent is not told of."""
        self._inbox.end(entry_id)
        if is_stop(panel):
            # Its message goes on being edited until the turn has ended, and says then how it did.
            stopping = self._turn_buttons.stop([turn_id], tap.sender)
            if not stopping:
                self._tell(tap, self._turn_buttons.stop_feedback(turn_id), follow_ups, alert=True)
                return False
            # The message shows it only seconds later, so the tap is answered in words at once.
            follow_ups.append(partial(self._answer, tap, stopping_words(stopping), alert=True))
            return True
        button = self._pressed(tap, follow_ups)
        if button is None:
            return False
        self._turn_buttons.settle(turn_id, Place(panel.chat_id, panel.thread_id), button.value or "")
        self._accept(tap, button, follow_ups)
        return True

    def _tap_secret_offer(self, entry_id: int, tap: Tap, follow_ups: list[FollowUp]) -> bool:
        """Delete the message in which somebody sent a credential, or leave it; the agent is not told of it."""
        self._inbox.end(entry_id)
        button = self._pressed(tap, follow_ups)
        if button is None:
            return False
        if button.value in {None, KEEP}:
            self._accept(tap, button, follow_ups)
        else:
            follow_ups.append(partial(self._delete, tap, button.value))
        return True

    def _tap_forget_offer(self, entry_id: int, tap: Tap, panel: Panel, follow_ups: list[FollowUp]) -> bool:
        """Delete what is saved with some words in it, or keep it; the agent is not told of it."""
        self._inbox.end(entry_id)
        button = self._pressed(tap, follow_ups)
        if button is None:
            return False
        # The words are no longer here either.
        self._panels.drop_values(panel.id)
        meant = words_to_forget(button)
        if meant is None:
            self._accept(tap, button, follow_ups)
        else:
            said = self._forgetting.forget(tap.chat.id, meant[0], tap.sender.id, meant[1])
            follow_ups.append(self._forgetting.empty_journal)
            self._tell(tap, said, follow_ups, alert=True, counted=True)
        return True

    def _pressed(self, tap: Tap, follow_ups: list[FollowUp]) -> Button | None:
        """Count a tap and return its button; None if it does not count, and the person is told why."""
        press = self._panels.press(tap.data, tap.chat.id, tap.message_id, tap.sender, tap.snapshot)
        if press.refused is not None:
            self._refuse(tap, press, follow_ups)
        return press.button

    def _accept(self, tap: Tap, button: Button, follow_ups: list[FollowUp]) -> None:
        self._tell(tap, translate("tap_accepted", label=label(button.label, 150)), follow_ups, counted=True)

    def _refuse(self, tap: Tap, press: Press, follow_ups: list[FollowUp]) -> None:
        """Tell somebody why their tap does not count, and take away the buttons of what is over."""
        if press.refused == "foreign" and press.panel is not None:
            text = self._foreign(press.panel)
        else:
            text = translate(f"tap_{press.refused}", label=label(press.outcome or "", OUTCOME_MAX))
        self._tell(tap, text, follow_ups, alert=press.refused != "answered")
        # Not those of a question that is still open, whatever data somebody forged; an outcome is drawn anyway.
        over = press.refused not in {"foreign", "answered"}
        if over and self._panels.open_on(tap.chat.id, tap.message_id) is None:
            close = partial(
                self._adapter.close_panel, tap.chat.id, tap.message_id, tap.snapshot, "", thread_id=tap.thread_id
            )
            follow_ups.append(Courtesy(close, tap.sender.id))

    async def _delete(self, tap: Tap, message_id: str) -> None:
        try:
            await self._adapter.delete(tap.chat.id, message_id)
        except (Rejected, Forbidden, Refused) as error:
            logger.info("a message with a secret stays: %s", redact(str(error)))
            await self._answer(tap, translate("secret_not_deleted"), alert=True)
        else:
            await self._answer(tap, translate("secret_deleted"), counted=True)

    def _tap_prompt(self, entry_id: int, tap: Tap, panel: Panel, position: int, follow_ups: list[FollowUp]) -> None:
        refusal = self._may_not_answer(panel, tap)
        if refusal:
            self._inbox.end(entry_id)
            self._tell(tap, refusal[0], follow_ups, alert=True, details=refusal[1])
            return
        if tap.text is not None:
            result = self._prompts.fill_in(panel, tap.text, tap.sender)
        else:
            result = self._prompts.press(panel, position, tap.sender)
        counted = result.final or result.whole or result.grid is not None
        self._tell(tap, result.feedback, follow_ups, alert=result.alert, counted=counted)
        self._settle(entry_id, tap, panel, result)
        if result.grid is not None:
            follow_ups.append(self._redraw(tap, panel.id, result.grid))
        if result.whole and result.prompt is not None:
            send = partial(
                send_whole_change, self._adapter, self._files, result.prompt.spec, Place(tap.chat.id, tap.thread_id)
            )
            follow_ups.append(Courtesy(send, tap.sender.id, asked=True))

    def _may_not_answer(self, panel: Panel, answer: Tap | Message) -> tuple[str, Details | None] | None:
        """Return why somebody may not answer, and the details; None if they may."""
        prompt = self._prompts.get(panel.prompt_id or "")
        if prompt is not None and prompt.kind != "ask":
            # Permission is given by approvers only, and in their direct chats.
            if answer.chat.kind != "direct" or not self._access.is_approver(answer.sender.id):
                command = f"channels access {self._adapter.channel} approver add {answer.sender.id}"
                return translate("tap_not_allowed"), Details(translate("tap_approvers_only", command=command), command)
        elif panel.tappers is not None and answer.sender.id not in panel.tappers:
            return self._foreign(panel), None
        return None

    def _foreign(self, panel: Panel) -> str:
        """Return the sentence that says for whom a question is, by name where the names are known."""
        members = [self._access.member(user_id) for user_id in sorted(panel.tappers or ())[:NAMED_MAX]]
        names = [label(one.username or one.name) for one in members if one is not None and (one.username or one.name)]
        return translate("tap_foreign_named", people=", ".join(names)) if names else translate("tap_foreign")

    # ---- typed

    def type(self, entry_id: int, message: Message, follow_ups: list[FollowUp]) -> bool:
        """Return True if a message answered an open panel or prompt; the answer is recorded."""
        if message.edited or message.reaction or message.forward_from or message.files:
            return False
        if self._verdict(entry_id, message, follow_ups):
            return True
        reply_to = message.reply.message_id if message.reply else None
        panel = self._panels.answerable(message.chat.id, message.thread_id, reply_to)
        if panel is None:
            return False
        if panel.prompt_id:
            return self._type_prompt(entry_id, message, panel)
        press = self._panels.type(message.chat.id, message.thread_id, message.text, message.sender, reply_to)
        if press is None or press.refused is not None:
            return False
        self._inbox.open(entry_id, tap_event(message, press))
        return True

    def _type_prompt(self, entry_id: int, message: Message, panel: Panel) -> bool:
        prompt = self._prompts.get(panel.prompt_id or "")
        # A permission takes a tap or a verdict that names it, never a bare word.
        if prompt is None or prompt.kind == "permission" or self._may_not_answer(panel, message):
            return False
        quoted = message.reply is not None and message.reply.message_id == panel.message_id
        result = self._prompts.type(panel, message.text, message.sender, quoted=quoted)
        if result is None:
            return False
        self._settle(entry_id, message, panel, result)
        return True

    def _verdict(self, entry_id: int, message: Message, follow_ups: list[FollowUp]) -> bool:
        match = _VERDICT.fullmatch(message.text)
        if match is None or message.chat.kind != "direct" or not self._access.is_approver(message.sender.id):
            return False
        behavior = "allow" if match[1].lower().startswith("y") else "deny"
        result = self._prompts.verdict(match[2].lower(), behavior, message.sender)
        if result is None:
            return False
        self._inbox.end(entry_id, answered=True)
        text = translate("tap_relayed", label=result.feedback) if result.final else result.feedback
        follow_ups.append(lambda: self._adapter.send(Outgoing(message.chat.id, text, thread_id=message.thread_id)))
        return True

    # ---- both

    def _settle(self, entry_id: int, answer: Tap | Message, panel: Panel, result: AnswerResult) -> None:
        """Keep the answer to an `ask` as an event until the asker has it; any other answer is not an event."""
        prompt = result.prompt
        if result.final and prompt is not None and prompt.kind == "ask":
            event = _answer_event(answer, panel, prompt)
            if isinstance(answer, Tap):
                self._open(entry_id, event, prompt.id)
            else:
                # What was typed is in the history as it was typed.
                self._inbox.open(entry_id, event, prompt_id=prompt.id)
            if prompt.state != "answered":
                # No call waits for it.
                self._inbox.open_answer(prompt.id)
        else:
            self._inbox.end(entry_id, answered=result.final)

    def _open(self, entry_id: int, event: AgentEvent, prompt_id: str | None = None) -> None:
        self._inbox.open(entry_id, event, prompt_id=prompt_id)
        self._history.add_received(
            event.chat_id, event.message_id, event.content, event.meta, event.thread_id, image=False
        )

    def _redraw(self, tap: Tap, panel_id: str, grid: Grid) -> FollowUp:
        keyboard = lay_out(panel_id, grid, self._adapter.limits)
        return lambda: self._adapter.edit_keyboard(tap.chat.id, tap.message_id, keyboard)

    def _tell(
        self,
        tap: Tap,
        text: str,
        follow_ups: list[FollowUp],
        *,
        alert: bool = False,
        counted: bool = False,
        details: Details | None = None,
        spans: Sequence[Span] = (),
    ) -> None:
        answer = partial(self._answer, tap, text, alert=alert, counted=counted, details=details, spans=spans)
        # A tap that does not count may be repeated ten thousand times.
        follow_ups.append(answer if counted else Courtesy(answer, tap.sender.id))

    async def _answer(
        self,
        tap: Tap,
        text: str,
        *,
        alert: bool = False,
        counted: bool = False,
        details: Details | None = None,
        spans: Sequence[Span] = (),
    ) -> None:
        """Acknowledge a tap with a text. The details, or what is longer, follow where nobody else sees them."""
        adapter, limits = self._adapter, self._adapter.limits
        text = redact(text)
        whole = truncate(redact(details.text) if details else text, limits.text, limits.unit)
        if details:
            spans = spans_over(whole, [("code", details.code, "")])
        if limits.notice is None:
            await adapter.answer_tap(tap.tap_id, whole, alert=alert, counted=counted, spans=spans)
            return
        notice = truncate(text, limits.notice, limits.unit)
        await adapter.answer_tap(tap.tap_id, notice, alert=alert, counted=counted)
        if whole != notice and self._details.take(tap.sender.id):
            private = Outgoing(tap.chat.id, whole, thread_id=tap.thread_id, spans=tuple(spans))
            await adapter.send(replace(private, only_for=tap.sender.id, answers_tap=tap.tap_id))


def _as_message(tap: Tap) -> Message:
    """Return what was typed in a form as the message it would have been without one."""
    return Message(
        tap.chat,
        tap.message_id,
        tap.sender,
        tap.ts,
        tap.text or "",
        addressed=True,
        thread_id=tap.thread_id,
        reply=ReplyContext(tap.message_id, None, None),
    )


def _answer_event(answer: Tap | Message, panel: Panel, prompt: Prompt) -> AgentEvent:
    """Return the event that an answer becomes if its asker is gone."""
    result = prompt.result or {}
    if "text" in result:
        return message_event(answer if isinstance(answer, Message) else _as_message(answer))
    if "labels" in result:
        button = Button(", ".join(result["labels"]), ", ".join(result["values"]))
        return tap_event(answer, Press(panel, None, button))
    button = Button(result.get("label", ""), result.get("value"))
    return tap_event(answer, Press(panel, None, button, result.get("row", 0), result.get("col", 0)))


def tap_event(answer: Tap | Message, press: Press) -> AgentEvent:
    """Return the event of a press that counts: a tap, or a typed label or number."""
    button, panel = press.button, press.panel
    if button is None or panel is None:
        raise ValueError("only a press that counts becomes an event")
    message_id = panel.message_id or answer.message_id
    meta = sender_meta(answer.chat, message_id, answer.sender, answer.ts)
    thread_name = answer.thread_name if isinstance(answer, Message) else None
    add_thread(meta, answer.chat, answer.thread_id, thread_name)
    meta |= {
        "button": "true",
        "button_label": attribute(button.label, 4096),
        "button_value": attribute(button.label if button.value is None else button.value, 4096),
        "button_row": str(press.row),
        "button_col": str(press.col),
        "panel_id": panel.id,
    }
    return AgentEvent(
        chat_id=answer.chat.id,
        message_id=message_id,
        user_id=answer.sender.id,
        content=content(button.label),
        meta=meta,
        thread_id=answer.thread_id,
        said_at=answer.ts.timestamp(),
    )
