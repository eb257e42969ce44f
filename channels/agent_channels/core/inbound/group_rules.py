"""Groups: what addresses the bot without naming it, and what is kept of what others say."""

from __future__ import annotations

from collections.abc import Iterable

from agent_channels.core.contract.messages import Message
from agent_channels.core.inbound.incoming import IncomingMessage
from agent_channels.core.people.access import Verdict
from agent_channels.core.people.mention_patterns import PatternMatcher
from agent_channels.core.services import Services

__all__ = ["GroupRules"]


class GroupRules:
    """The rules of enabled groups beyond the gate."""

    def __init__(self, services: Services, context_count: int) -> None:
        """`context_count`: how many messages to others are kept for the next one to the bot; 0: none."""
        self._services, self._context_count = services, context_count
        self.matcher = PatternMatcher()
        self._matched: set[tuple[str, str, str]] = set()

    async def match_patterns(self, messages: Iterable[Message]) -> None:
        """Find out which of these messages their groups' patterns match, before they are sorted.

        It may take a while, and a transaction must not wait for it.
        """
        texts: dict[tuple[str, ...], list[Message]] = {}
        for message in messages:
            if message.chat.kind == "group" and message.text and not (message.addressed or message.reaction):
                group = self._services.access.group_of(message.chat)
                if group is not None and group.patterns:
                    texts.setdefault(group.patterns, []).append(message)
        self._matched = set()
        for patterns, asked in texts.items():
            found = await self.matcher.matching(patterns, [message.text for message in asked])
            self._matched |= {_key(message) for message in asked if message.text in found}

    def addresses_bot(self, message: Message) -> bool:
        """Return True if a message is for the bot though it does not name it.

        That is one that `match_patterns` found, and a reaction to one of the agent's messages.
        """
        if message.reaction:
            return self._services.outbox.contains(message.chat.id, message.message_id)
        return _key(message) in self._matched

    def keep_context(self, incoming: IncomingMessage) -> None:
        """Keep what is said in an enabled group to others, by people who may address the bot there."""
        message = incoming.message
        if not self._context_count or message.reaction or message.edited or message.chat.kind == "direct":
            return
        if self._services.access.decide(message.chat, message.sender, addressed=True) is Verdict.PASS:
            self._services.group_context.add(message, incoming.event.content, keep=self._context_count)

    def add_context(self, incoming: IncomingMessage) -> None:
        """Add what was kept to the event of the next message for the bot; it is shown once."""
        # Not to a further part of a group: it was shown with the first.
        if not self._context_count or incoming.message.reaction or incoming.group is not None:
            return
        message = incoming.message
        context = self._services.group_context.take(message.chat.id, message.thread_id)
        if context:
            incoming.event.meta["context"] = context


def _key(message: Message) -> tuple[str, str, str]:
    return message.chat.id, message.message_id, message.text
