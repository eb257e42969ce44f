"""Prompts as cards in the approvers' direct chats: in full, on every approver's phone, by whoever reads the bot."""

from __future__ import annotations

import logging
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
from agent_channels.core.scheduling import Broadcast, Wakeup, wait_for_tick
from agent_channels.core.store.database import Store

__all__ = ["ApprovalCards"]

logger = logging.getLogger(__name__)
# A body of more messages than this goes as a file: nobody reads twenty parts before they tap.
PARTS_MAX = 4
SWEEP_EVERY_S = 1.0


class ApprovalCards:
    """Sends what was asked and not shown yet, and ends what is over."""

    def __init__(
        self, adapter: Adapter, store: Store, files: Files, due: Wakeup, opened: Wakeup, changed: Broadcast
    ) -> None:
        self._adapter, self._store, self._files = adapter, store, files
        self._due, self._opened, self._changed = due, opened, changed
        self._access, self._prompts, self._panels = Access(store), Prompts(store), Panels(store)
        self.asked = Wakeup()

    async def run(self) -> None:
        """Sends cards until cancelled."""
        while True:
            try:
                for prompt in self._prompts.unsent():
                    await self._send(prompt)
            except StoreError as error:
                logger.warning("no card could be sent: %s", error)
            await self.asked.wait()

    async def sweep(self) -> None:
        """Ends what is over, until cancelled."""
        while True:
            await wait_for_tick(SWEEP_EVERY_S)
            try:
                if self._prompts.sweep():
                    self._due.set()
                    self._opened.set()
                    self._changed.notify_all()
            except StoreError as error:
                logger.warning("nothing is swept: %s", error)

    async def _send(self, prompt: Prompt) -> None:
        self._prompts.sent(prompt.id)
        reached = 0
        for user_id, chat_id in self._access.approver_chats():
            try:
                await self._card(prompt, chat_id or await self._adapter.open_direct_chat(user_id))
                reached += 1
            except PlatformError as error:
                logger.warning("a card did not reach %s: %s", user_id, redact(str(error)))
        if not reached:
            self._prompts.close(prompt.id, translate("prompt_unanswered"))
        self._prompts.tidy(prompt.id)
        self._due.set()

    async def _card(self, prompt: Prompt, chat_id: str) -> None:
        """The body first and complete, the buttons under the last part."""
        spec = prompt.spec
        text = "\n\n".join(filter(None, (spec.head, spec.body, spec.foot)))
        parts = self._adapter.render(text, "text")
        outgoing = [Outgoing(chat_id, part.text) for part in parts]
        if len(parts) > PARTS_MAX:
            path = self._file(spec.body)
            short = "\n\n".join(filter(None, (spec.head, translate("card_body_in_file"), spec.foot)))
            outgoing = [
                Outgoing(chat_id, path=str(path)),
                Outgoing(chat_id, self._adapter.render(short, "text")[0].text),
            ]
        # Bound to the prompt before it is shown: a tap can be faster than our next line.
        panel_id = self._panels.create(
            chat_id,
            spec.shown(prompt.chosen),
            ttl_s=max(1.0, prompt.expires_at - self._prompts.now()),
            prompt_id=prompt.id,
        )
        keyboard = lay_out(panel_id, spec.shown(prompt.chosen), self._adapter.limits)
        try:
            for one in outgoing[:-1]:
                await self._adapter.send(one)
            sent = await self._adapter.send(replace(outgoing[-1], keyboard=keyboard))
        except PlatformError:
            self._panels.discard(panel_id)
            raise
        self._panels.bind(panel_id, sent.message_id, sent.snapshot)

    def _file(self, body: str) -> Path:
        path = self._files.download_path(Attachment("document", "", "request.txt", "text/plain"))
        path.write_text(body, encoding="utf-8", errors="replace")
        return path
