"""Delete what is saved of a chat with some words in it: at once, or once who asked has confirmed how much."""

from __future__ import annotations

from agent_channels.core.buttons.forget_offers import forget_grid
from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.history import holds_words
from agent_channels.core.scheduling import FollowUp
from agent_channels.core.services import Services

__all__ = ["Forgetting"]

# Fewer letters are in nearly every message, and more messages are hardly meant without looking.
LETTERS_MIN, AT_ONCE_MAX = 3, 20
TTL_S = 3600.0


class Forgetting:
    """What `/session forget WORDS` deletes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def has_to_ask(self, chat_id: str, words: str) -> int:
        """Return how many saved messages there are, if they are so many or the words so short that it is asked first.

        Otherwise 0.
        """
        count = self._services.history.count_matching(chat_id, words)
        return count if len("".join(words.split())) < LETTERS_MIN or count > AT_ONCE_MAX else 0

    def ask(self, adapter: Adapter, message: Message, words: str, count: int) -> FollowUp:
        """Return the call that asks who wants it whether it is meant."""
        panels, grid = self._services.panels, forget_grid(words, count)
        outgoing = Outgoing(
            message.chat.id,
            translate("session_forget_ask", count=f"{count:,}"),
            # A command from a menu is no message.
            reply_to=message.message_id if message.answer_id is None else None,
            thread_id=message.thread_id,
        )

        async def follow_up() -> None:
            if message.answer_id is not None:
                # The answer to such a command holds no buttons.
                await adapter.answer_tap(message.answer_id, "", alert=False, counted=False)
            tappers = [message.sender.id]
            await send_offer(adapter.send, panels, adapter.limits, outgoing, grid, ttl_s=TTL_S, tappers=tappers)

        return follow_up

    def forget(self, chat_id: str, words: str, user_id: str) -> str:
        """Delete it, for the person with this id; return the sentence that says how much that was."""
        services, holds = self._services, holds_words(words)
        with services.store.transaction():
            lines = services.history.forget_matching(chat_id, words)
            services.inbox.forget_matching(chat_id, holds)
            services.group_context.forget_matching(chat_id, holds)
            services.final_answers.forget_matching(chat_id, holds)
            services.prompts.forget_matching(chat_id, holds)
            services.panels.forget_matching(chat_id, holds)
            # What others did is the operator's to keep.
            subject = None if services.access.is_approver(user_id) else user_id
            records = services.audit.forget(holds, user_id, subject=subject)
        return translate("session_forgotten", count=lines, records=records)

    async def empty_journal(self) -> None:
        """Leave nothing of it in the database's journal."""
        self._services.store.empty_journal()
