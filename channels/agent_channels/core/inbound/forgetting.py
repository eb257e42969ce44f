"""Delete what is saved of a chat with some words in it: at once, or once who asked has confirmed how much."""

from __future__ import annotations

import time

from agent_channels.core.buttons.forget_offers import Until, forget_grid
from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate, translate_count
from agent_channels.core.journal.history import holds_words
from agent_channels.core.scheduling import FollowUp
from agent_channels.core.services import Services

__all__ = ["Forgetting", "Found"]

# Fewer letters are in nearly every message, and more messages are hardly meant without looking.
LETTERS_MIN, AT_ONCE_MAX = 3, 20
TTL_S = 3600.0


@frozen
class Found:
    """What has some words in it: ids of each kind, and how far was looked."""

    lines: list[int]
    entries: list[int]
    overheard: list[int]
    answers: list[int]
    prompts: list[str]
    panels: list[str]
    records: list[int]
    open_entries: int
    """How many messages the agent has not answered yet: they stay, since somebody waits for an answer."""
    until: Until

    def has_to_be_asked(self, words: str) -> bool:
        """Return True if that is so much, or the words so short, that nothing of it is deleted without asking."""
        kinds = (self.lines, self.entries, self.overheard, self.answers, self.prompts, self.panels, self.records)
        most = max(len(found) for found in kinds)
        return most > (AT_ONCE_MAX if len("".join(words.split())) >= LETTERS_MIN else 0)


class Forgetting:
    """What `/session forget WORDS` deletes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def find(self, chat_id: str, words: str, user_id: str, until: Until | None = None) -> Found:
        """Return what is saved of a chat with these words in it, and which records of it and of this person have them.

        `until`: no more than was found then.
        """
        services, holds = self._services, holds_words(words)
        until = until or self._now()
        # What others did is the operator's to keep.
        records = services.audit.matching({user_id, chat_id}, holds)
        return Found(
            [one for one in services.history.matching(chat_id, holds) if one <= until.history],
            [one for one in services.inbox.matching(chat_id, holds) if one <= until.inbox],
            services.group_context.matching(chat_id, holds, until.at),
            [one for one in services.final_answers.matching(chat_id, holds) if one <= until.answers],
            services.prompts.matching(chat_id, holds, until.panels_at),
            services.panels.matching(chat_id, holds, until.panels_at),
            [one for one in records if one <= until.audit],
            len(services.inbox.matching(chat_id, holds, is_open=True)),
            until,
        )

    def _now(self) -> Until:
        history, inbox, answers, audit = (
            int(self._services.store.value(f"SELECT coalesce(max(id), 0) FROM {table}"))
            for table in ("history", "inbox", "final_answers", "audit")
        )
        return Until(history, inbox, answers, audit, time.time(), self._services.prompts.now())

    def ask(self, adapter: Adapter, message: Message, words: str, found: Found) -> FollowUp:
        """Return the call that asks who wants it whether it is meant."""
        panels, count = self._services.panels, len(found.lines)
        grid = forget_grid(words, count, found.until)
        others = len(found.prompts) + len(found.panels) + len(found.entries)
        others += len(found.overheard) + len(found.answers)
        outgoing = Outgoing(
            message.chat.id,
            translate(
                "session_forget_ask",
                messages=translate_count("saved_messages", count),
                others=f"{others:,}",
                records=translate_count("records", len(found.records)),
            ),
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

    def forget(self, chat_id: str, words: str, user_id: str, until: Until) -> str:
        """Delete what was found until then, for the person with this id; return the sentence that says how much."""
        with self._services.store.transaction():
            return self.delete(self.find(chat_id, words, user_id, until), user_id)

    def delete(self, found: Found, user_id: str) -> str:
        """Delete what was found just now, in the same transaction; return the sentence that says how much."""
        services = self._services
        with services.store.transaction():
            services.history.forget_lines(found.lines)
            services.inbox.forget_entries(found.entries)
            services.group_context.forget_lines(found.overheard)
            services.final_answers.forget(found.answers)
            services.prompts.forget(found.prompts)
            services.panels.forget(found.panels)
            services.audit.forget(found.records, user_id)
        done = translate(
            "session_forgotten",
            messages=translate_count("saved_messages", len(found.lines)),
            records=translate_count("records", len(found.records)),
        )
        if found.open_entries:
            done += translate("session_forget_open", messages=translate_count("messages", found.open_entries))
        return done

    async def empty_journal(self) -> None:
        """Leave nothing of it in the database's journal."""
        self._services.store.empty_journal()
