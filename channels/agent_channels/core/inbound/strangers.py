"""People the gate does not let through: invitations, pairing codes, and what they say meanwhile."""

from __future__ import annotations

import time

from agent_channels.core.buttons.layout import copy_row
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Chat, Message
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.grouping import MessageGrouping
from agent_channels.core.inbound.incoming import IncomingMessage, answer_with
from agent_channels.core.people.pairing import HELD_MAX, REPLIES_MAX, VALID_S
from agent_channels.core.services import Services
from agent_channels.core.text.formatted_text import spans_over
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import clock_time

__all__ = ["Strangers"]

SETTLED_S = 60.0
SETTLED_MAX = 1000


class Strangers:
    """Let in who was invited, and offer others to pair."""

    def __init__(self, adapter: Adapter, services: Services, grouping: MessageGrouping) -> None:
        self._adapter, self._services, self._grouping = adapter, services, grouping
        # Who has all that a stranger gets: until when (monotonic) nothing more is looked up for them, and as of which
        # revision of the store, since another process may let them in or turn them away.
        self._settled: dict[str, tuple[float, int]] = {}

    def redeem_invite(self, incoming: IncomingMessage) -> bool:
        """Let the sender of a code that the operator made in, whatever the policy, unless nobody may write directly."""
        message, services = incoming.message, self._services
        if services.access.policy() == "disabled":
            return False
        if not services.invites.redeem(message, translate("paired", name=label(message.sender.name))):
            return False
        services.chats.record(message.chat, message.sender)
        services.inbox.end(incoming.entry_id)
        return True

    def pair(self, incoming: IncomingMessage) -> None:
        """Offer a pairing code, and keep a few messages until the operator decides."""
        message, services = incoming.message, self._services
        pairing = services.pairing
        if self._is_settled(message.sender.id):
            services.inbox.end(incoming.entry_id)
            return
        incoming.group = incoming.group or self._grouping.find(incoming, held=True)
        if incoming.group is not None:
            self._grouping.open(incoming, held=True)
            return
        # Who asks in a group is let in to their direct chat, of which only their own id may be known.
        in_group = message.chat.kind == "group"
        code = pairing.ask(Chat(message.sender.id, "direct") if in_group else message.chat, message.sender)
        # A command is for the bot, and the bot has answered it with a code.
        if message.command is None and pairing.may_hold(message.sender.id):
            self._grouping.open(incoming, held=True)
        else:
            services.inbox.end(incoming.entry_id)
            if not code and message.command is None:
                self._settle(message.sender.id)
        access = f"channels access {self._adapter.channel}"
        if code:
            services.chats.record(message.chat, message.sender)
            command, until = f"{access} pair {code}", clock_time(time.time() + VALID_S)
            text = self._offer(message, code, command, until.words)
            spans = spans_over(text, [("code", code, ""), ("time", *until)])
            keyboard = copy_row(button_copy_code=code, button_copy_command=command)
            incoming.follow_ups.append(answer_with(self._adapter, message, text, spans=spans, keyboard=keyboard))
        elif pairing.crowded_out(message.sender.id):
            command = f"{access} allow {message.sender.id}"
            text = self._after_invite(message, translate("pairing_queue_full", command=command))
            keyboard = copy_row(button_copy_command=command)
            incoming.follow_ups.append(answer_with(self._adapter, message, text, keyboard=keyboard))

    def _offer(self, message: Message, code: str, command: str, until: str) -> str:
        """Return the answer with the code: whole the first time, a reminder later, the last one saying so."""
        replies = self._services.pairing.replies(message.sender.id)
        if replies == 1:
            parts = [translate("pairing_code", code=code, command=command, until=until, kept=HELD_MAX)]
        else:
            parts = [translate("pairing_code_again", code=code, command=command, until=until)]
        if replies == REPLIES_MAX:
            parts.append(translate("pairing_silent"))
        return self._after_invite(message, "\n\n".join(parts))

    def _after_invite(self, message: Message, text: str) -> str:
        """Put before an answer why the invitation that the message holds, if any, does not work."""
        reason = self._services.invites.why_not(message)
        return f"{translate(f'invite_{reason}')}\n\n{text}" if reason else text

    def _is_settled(self, user_id: str) -> bool:
        until, revision = self._settled.get(user_id, (0.0, 0))
        return until > time.monotonic() and revision == self._services.store.revision()

    def _settle(self, user_id: str) -> None:
        if len(self._settled) >= SETTLED_MAX:
            self._settled.clear()
        self._settled[user_id] = time.monotonic() + SETTLED_S, self._services.store.revision()
