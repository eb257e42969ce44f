"""Prompts as cards in the approvers' direct chats, complete, on every approver's phone, sent by the bot's reader."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import PlatformError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.scheduling import Wakeups, wait_for_tick

__all__ = ["ApprovalCards"]

logger = logging.getLogger(__name__)
# A body of more messages than this goes as a file: nobody reads twenty parts before they tap.
PARTS_MAX = 4
SWEEP_EVERY_S = 1.0


class ApprovalCards:
    """Send prompts that are not shown yet, and end what is over."""

    def __init__(
        self, adapter: Adapter, access: Access, prompts: Prompts, panels: Panels, files: Files, wakeups: Wakeups
    ) -> None:
        self._adapter, self._access, self._prompts, self._panels = adapter, access, prompts, panels
        self._files, self._wakeups = files, wakeups

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
        while True:
            await wait_for_tick(SWEEP_EVERY_S)
            try:
                if self._prompts.sweep():
                    self._wakeups.answer_given()
                    self._wakeups.ready.set()
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
                    await self._send(prompt, chat_id)
                    reached += 1
            except PlatformError as error:
                logger.warning("a card did not reach %s: %s", user_id, redact(str(error)))
        if not reached:
            self._prompts.close(prompt.id, translate("prompt_unanswered"))
        self._prompts.end_late_cards(prompt.id)
        self._wakeups.outcome_due.set()

    async def _send(self, prompt: Prompt, chat_id: str) -> None:
        """Send the complete body first, with the buttons under its last part."""
        with ExitStack() as opened:
            await self._send_all(prompt, chat_id, self._messages(prompt, chat_id, opened))

    async def _send_all(self, prompt: Prompt, chat_id: str, messages: list[Outgoing]) -> None:
        *before, last = messages
        # Bound to the prompt before it is shown: a tap can be faster than our next line.
        grid = prompt.spec.drawn_grid(prompt.chosen)
        panel_id = self._panels.create(
            chat_id, grid, ttl_s=max(1.0, prompt.expires_at - self._prompts.now()), prompt_id=prompt.id
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

    def _messages(self, prompt: Prompt, chat_id: str, opened: ExitStack) -> list[Outgoing]:
        # Masked, not refused: without the card nobody could answer.
        spec = replace(prompt.spec, head=redact(prompt.spec.head), body=redact(prompt.spec.body))
        parts = self._adapter.render(_paragraphs(spec.head, spec.body, spec.foot), "text")
        if len(parts) <= PARTS_MAX:
            return [Outgoing(chat_id, part.text) for part in parts]
        summary = self._adapter.render(_paragraphs(spec.head, translate("card_body_in_file"), spec.foot), "text")[0]
        file = opened.enter_context(closing(self._files.open_own(self._write(spec.body))))
        return [Outgoing(chat_id, file=file), Outgoing(chat_id, summary.text)]

    def _write(self, body: str) -> Path:
        path = self._files.download_path(Attachment("document", "", "request.txt", "text/plain"))
        path.write_text(body, encoding="utf-8", errors="replace")
        return path


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))
