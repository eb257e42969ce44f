"""Prompts as cards in the approvers' direct chats, complete, on every approver's phone, sent by the bot's reader."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from agent_channels.core.buttons.card_content import masked
from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.prompt_spec import WHOLE, Prompt, PromptSpec
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Place
from agent_channels.core.contract.outgoing import Button, Grid, OpenFile, Outgoing
from agent_channels.core.errors import PlatformError, StoreError, ThreadGone
from agent_channels.core.files.storage import Files
from agent_channels.core.host.turns import Turns
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.scheduling import RARELY_S, Wakeups, wait_for_tick
from agent_channels.core.text.diff import cut_lines
from agent_channels.core.text.formatted_text import RenderedPart, Span

__all__ = ["ApprovalCards", "send_whole_change"]

logger = logging.getLogger(__name__)
# A body of more messages than this goes as a file: nobody reads twenty parts before they tap.
PARTS_MAX = 4
# How much of one message a diff may fill: the rest is for the path, the words around it, and the outcome at the end, so
# that a change is one message on every platform. Who wants to see more asks for the file.
DIFF_SHARE = 0.6
# A diff is cut shorter where the words around it, or what a platform escapes in it, need the room; never below this.
DIFF_MIN = 100
# A folded block shows its first three lines, so a short change is not folded: a phone shows so many above the buttons.
FOLD_LINES = 12
SWEEP_EVERY_S = 1.0


class ApprovalCards:
    """Send prompts that are not shown yet, and end what is over."""

    def __init__(
        self,
        adapter: Adapter,
        access: Access,
        prompts: Prompts,
        panels: Panels,
        turns: Turns,
        files: Files,
        wakeups: Wakeups,
    ) -> None:
        self._adapter, self._access, self._prompts, self._panels = adapter, access, prompts, panels
        self._turns, self._files, self._wakeups = turns, files, wakeups

    async def run(self) -> None:
        """Send cards until cancelled; first those that an earlier process may have sent to some approvers only."""
        only_unsent = False
        while True:
            try:
                for prompt in self._prompts.open_cards(only_unsent=only_unsent):
                    await self._send_to_approvers(prompt)
                only_unsent = True
            except StoreError as error:
                logger.warning("approval cards are sent later: %s", error)
            await self._wakeups.card_due.wait()

    async def sweep(self) -> None:
        """End what is over, until cancelled."""
        pause_s = SWEEP_EVERY_S
        while True:
            await wait_for_tick(pause_s)
            try:
                if self._prompts.sweep():
                    self._wakeups.answer_given()
                    self._wakeups.ready.set()
                pause_s = SWEEP_EVERY_S if self._prompts.any_waiting() else RARELY_S
            except StoreError as error:
                logger.warning("expired questions are closed later: %s", error)

    async def _send_to_approvers(self, prompt: Prompt) -> None:
        self._prompts.mark_sent(prompt.id)
        shown_in = self._panels.chats_showing(prompt.id)
        reached = len(shown_in)
        for user_id, known in self._access.approver_chats():
            try:
                chat_id = known or await self._adapter.open_direct_chat(user_id)
                if chat_id not in shown_in:
                    await self._send_to(prompt, Place(chat_id, self._thread_in(prompt, chat_id)))
                    reached += 1
            except (PlatformError, OSError) as error:
                logger.warning("a card did not reach %s: %s", user_id, redact(str(error)))
        if not reached:
            self._prompts.close(prompt.id, translate("prompt_unanswered"))
        self._prompts.end_late_cards(prompt.id)
        self._wakeups.outcome_due.set()

    async def _send_to(self, prompt: Prompt, place: Place) -> None:
        try:
            await self._send(prompt, place)
        except ThreadGone:
            if place.thread_id is None:
                raise
            await self._send(prompt, Place(place.chat_id, None))

    def _thread_in(self, prompt: Prompt, chat_id: str) -> str | None:
        """Return the thread of an approver's chat that the asking turn works for; None if it works for none there."""
        turn = self._turns.current(prompt.session)
        threads = [place.thread_id for place in turn.places if place.chat_id == chat_id] if turn else []
        return threads[-1] if threads else None

    async def _send(self, prompt: Prompt, place: Place) -> None:
        """Send the complete body first, with the buttons under its last part."""
        spec = _masked(prompt.spec)
        grid = spec.drawn_grid(prompt.chosen)
        with ExitStack() as opened:
            messages, is_cut = self._messages(spec, place, opened)
            if is_cut:
                grid = (*grid, (Button(translate("button_whole_change"), WHOLE),))
            await self._send_all(prompt, grid, place, messages)

    async def _send_all(self, prompt: Prompt, grid: Grid, place: Place, messages: list[Outgoing]) -> None:
        *before, last = messages
        # Bound to the prompt before it is shown: a tap can be faster than our next line.
        panel_id = self._panels.create(
            place.chat_id,
            grid,
            ttl_s=max(1.0, prompt.expires_at - self._prompts.now()),
            thread_id=place.thread_id,
            prompt_id=prompt.id,
        )
        keyboard = lay_out(panel_id, grid, self._adapter.limits)
        try:
            for outgoing in before:
                await self._adapter.send(outgoing)
            sent = await self._adapter.send(replace(last, keyboard=keyboard))
        except PlatformError:
            self._panels.discard(panel_id)
            raise
        self._panels.bind(panel_id, sent.message_id, sent.snapshot)

    def _messages(self, spec: PromptSpec, place: Place, opened: ExitStack) -> tuple[list[Outgoing], bool]:
        """Return a card's messages, and whether they show only the beginning of a change.

        As many as it needs; above `PARTS_MAX` one message, and a file with all of it before that.
        """
        parts, is_cut = self._change(spec) if spec.file else (self._parts(spec, spec.code), False)
        if len(parts) <= PARTS_MAX:
            return [_outgoing(place, part) for part in parts], is_cut
        summary = self._adapter.render(_paragraphs(spec.head, translate("card_body_in_file"), spec.foot), "text")[0]
        text = _paragraphs(spec.body, spec.code, spec.below)
        file = opened.enter_context(_file(self._files, "request", ".txt", text))
        return [Outgoing(place.chat_id, file=file, thread_id=place.thread_id), _outgoing(place, summary)], False

    def _change(self, spec: PromptSpec) -> tuple[list[RenderedPart], bool]:
        """Return a card with the beginning of a diff, folded where the platform can; and whether there is more."""
        limits = self._adapter.limits
        room = int(limits.text * DIFF_SHARE)
        while True:
            shown, left = cut_lines(spec.code, room, limits.unit)
            parts = self._parts(spec, shown, _left_out(shown != spec.code, left))
            if len(parts) == 1 or room < DIFF_MIN:
                break
            room //= 2
        return [replace(part, spans=_folded(part)) for part in parts], shown != spec.code

    def _parts(self, spec: PromptSpec, code: str, note: str = "") -> list[RenderedPart]:
        if not spec.code:
            return self._adapter.render(_paragraphs(spec.head, spec.body, spec.below, spec.foot), "text")
        head, body, *others = map(self._escaped, (spec.head, spec.body, note, spec.below, spec.foot))
        parts = self._adapter.render(_paragraphs(head, body, _fenced(code, spec.language), *others), "markdown")
        # What somebody is asked to allow is in view.
        return [replace(part, spans=tuple(span for span in part.spans if span.kind != "fold")) for part in parts]

    def _escaped(self, text: str) -> str:
        # Markdown takes white space at the beginning of a line for markup.
        return "\n".join(self._adapter.escape(line.strip(), "markdown") for line in text.split("\n"))


async def send_whole_change(adapter: Adapter, files: Files, spec: PromptSpec, place: Place) -> None:
    """Send the whole diff of a card as a file into a chat. Raises `PlatformError`."""
    spec = _masked(spec)
    try:
        with _file(files, "change", ".diff", f"--- {spec.file}\n+++ {spec.file}\n{spec.code}\n") as file:
            await adapter.send(Outgoing(place.chat_id, file=file, thread_id=place.thread_id))
    except OSError as error:
        logger.warning("a change could not be sent as a file: %s", error)


@contextmanager
def _file(files: Files, stem: str, suffix: str, text: str) -> Iterator[OpenFile]:
    """Open a file with this text, of which nothing is left once it was sent. Raises `OSError`."""
    path = files.write_text(stem, suffix, text)
    try:
        with closing(files.open_own(path)) as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def _masked(spec: PromptSpec) -> PromptSpec:
    """Return a card's words without secrets. Masked, not refused: without the card nobody could answer."""
    if spec.verbatim:
        return spec
    words = (spec.head, spec.body, spec.foot, spec.file, spec.below)
    head, body, foot, file, below = map(masked, words)
    # A line each: in a diff, the sign of the next one is no value of a name at the end of this one.
    code = "\n".join(map(masked, spec.code.split("\n")))
    return replace(spec, head=head, body=body, foot=foot, code=code, file=file, below=below)


def _left_out(is_cut: bool, lines: int) -> str:  # noqa: FBT001
    """Return the sentence that says what of a diff is not shown."""
    if not is_cut:
        return ""
    return translate("card_change_cut", lines=f"{lines:,}") if lines else translate("card_line_cut")


def _outgoing(place: Place, part: RenderedPart) -> Outgoing:
    return Outgoing(
        place.chat_id, part.text, format=part.format, spans=part.spans, plain=part.plain, thread_id=place.thread_id
    )


def _folded(part: RenderedPart) -> tuple[Span, ...]:
    """Return the spans of a part with a fold around each long code block; a short one is seen before it is allowed."""
    found: list[Span] = []
    for span in part.spans:
        if span.kind == "pre" and part.text.count("\n", span.start, span.end) >= FOLD_LINES:
            found.append(Span("fold", span.start, span.end))
        found.append(span)
    return tuple(found)


def _fenced(code: str, language: str) -> str:
    """Return code as a block of Markdown, in a fence that is longer than any in the code."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))
