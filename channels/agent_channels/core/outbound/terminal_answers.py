"""Answers that an agent gave at the terminal only: sent to the chats that had asked, once, or offered there first."""

from __future__ import annotations

import logging

import anyio

from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.buttons.turn_buttons import offer_grid
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, Refused, StoreError, Unavailable
from agent_channels.core.host.final_answers import FinalAnswer
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.outbound.sender import Reply, Sender
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.scheduling import Backoff, Wakeups
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Forwarding
from agent_channels.core.text.secret_values import mask_secrets

__all__ = ["TerminalAnswers"]

logger = logging.getLogger(__name__)
KEY = "answer-"
OFFER_TTL_S = 24 * 3600.0
# What ends a loop is for the loop alone.
_PROMISE = lazy_pattern(r"<promise>[^<>]{0,200}</promise>")


class TerminalAnswers:
    """Look after the answers; only the bot's reader does, so that each is sent once."""

    def __init__(
        self, adapter: Adapter, services: Services, sender: Sender, wakeups: Wakeups, forwarding: Forwarding
    ) -> None:
        self._adapter, self._services, self._sender = adapter, services, sender
        self._wakeups, self._forwarding = wakeups, forwarding
        self._faults = Backoff(first_s=0.5, cap_s=10)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if await self.settle():
                await anyio.sleep(self._faults.next())
            else:
                await self._wakeups.answer_due.wait()

    async def settle(self) -> bool:
        """Look after every answer that is due; return True if something has to be tried again later."""
        again = False
        try:
            for answer in self._services.final_answers.due():
                again |= not await self._look_after(answer)
        except StoreError as error:
            logger.warning("answers from the terminal are sent later: %s", error)
            return True
        return again

    async def _look_after(self, answer: FinalAnswer) -> bool:
        """Send, offer or drop an answer; return False if that has to be tried again."""
        if answer.state == "due" and not self._is_wanted(answer):
            self._services.final_answers.set_state(answer.id, "dropped")
            return True
        offered = answer.state == "due" and self._way(answer) == "offer"
        try:
            await (self._offer(answer) if offered else self._send(answer))
        except (Unavailable, RateLimited):
            return False
        except Ambiguous as error:
            # It may have arrived: once at most is what was promised.
            logger.warning("an answer from the terminal may not have arrived: %s", redact(str(error)))
        except (PlatformError, Refused) as error:
            logger.warning("an answer from the terminal is not sent: %s", redact(str(error)))
        self._services.final_answers.set_state(answer.id, "offered" if offered else "sent")
        return True

    def _is_wanted(self, answer: FinalAnswer) -> bool:
        """Return whether the agent left what a chat asked unanswered, and used none of our tools to say something."""
        services, chat_id = self._services, answer.place.chat_id
        if not services.access.is_target(chat_id):
            return False
        if self._way(answer) == "off" or not _PROMISE.sub("", answer.text).strip():
            return False
        if services.outbox.sent_since(chat_id, answer.since, without=KEY):
            return False
        return bool(services.inbox.shown_to(chat_id, answer.session, answer.place.thread_id))

    def _way(self, answer: FinalAnswer) -> Forwarding:
        if self._forwarding != "auto":
            return self._forwarding
        return "forward" if self._services.chats.is_direct(answer.place.chat_id) else "offer"

    async def _send(self, answer: FinalAnswer) -> None:
        chat_id, thread_id = answer.place
        seen = self._services.inbox.shown_to(chat_id, answer.session, thread_id)
        said = mask_secrets(_PROMISE.sub("", answer.text)).strip()
        reply = Reply(
            chat_id=chat_id,
            text=f"{translate('answer_from_terminal')}\n\n{said}",
            format=self._adapter.capabilities.default_format,
            thread_id=thread_id,
            idempotency_key=f"{KEY}{answer.id}",
            as_file="auto",
        )
        await self._sender.reply(reply, lambda: self._sent(answer, seen))

    def _sent(self, answer: FinalAnswer, seen: list[int]) -> None:
        self._services.inbox.answer(answer.place.chat_id, answer.session, seen)
        self._services.final_answers.set_state(answer.id, "sent")

    async def _offer(self, answer: FinalAnswer) -> None:
        outgoing = Outgoing(answer.place.chat_id, translate("answer_offer"), thread_id=answer.place.thread_id)
        await send_offer(
            self._sender.threads.send,
            self._services.panels,
            self._adapter.limits,
            outgoing,
            offer_grid(),
            ttl_s=OFFER_TTL_S,
            turn_id=answer.turn_id,
        )
