"""One message on its way through the stages of the pipeline, with what each stage found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Keyboard, Outgoing
from agent_channels.core.errors import Rejected
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.events import message_event
from agent_channels.core.journal.pending_groups import PendingGroup
from agent_channels.core.people.access import Verdict
from agent_channels.core.scheduling import FollowUp
from agent_channels.core.text.formatted_text import Span

__all__ = ["IncomingMessage", "Stage", "answer_with"]


@dataclass(slots=True)
class IncomingMessage:
    """A message, and what is known of it. `received_at` is in epoch seconds; `transcribe`: voice notes are downloaded.

    `group` is what it continues: an album, a split text, a forward with its comment. `addressed`: it is meant for the
    bot. `follow_ups` are the calls to the platform to make after the commit.
    """

    entry_id: int
    message: Message
    received_at: float
    transcribe: bool = False
    group: PendingGroup | None = None
    addressed: bool = False
    verdict: Verdict = Verdict.SILENT
    opened: bool = False
    follow_ups: list[FollowUp] = field(default_factory=list)
    _event: AgentEvent | None = None

    @property
    def event(self) -> AgentEvent:
        """What the agent is shown of the message; made once, after its thread's name is known."""
        if self._event is None:
            self._event = message_event(self.message, transcribe=self.transcribe)
        return self._event


Stage = Callable[[IncomingMessage], bool]
"""A step of the pipeline; it returns True if the message needs no further step."""


def answer_with(
    adapter: Adapter, message: Message, text: str, *, spans: tuple[Span, ...] = (), keyboard: Keyboard | None = None
) -> FollowUp:
    """Return the call that answers a message with a text of our own.

    If the platform wants the command itself answered, the text is its answer. To a message that only its sender sees,
    the answer is one that only they see, or else it goes to their direct chat.
    """

    async def follow_up() -> None:
        outgoing = Outgoing(message.chat.id, text, thread_id=message.thread_id, spans=spans, keyboard=keyboard)
        if message.answer_id is not None:
            await adapter.answer_tap(message.answer_id, text, alert=False, counted=False, spans=spans)
        elif message.ephemeral and message.chat.kind == "group":
            try:
                await adapter.send(replace(outgoing, reply_to=message.message_id, only_for=message.sender.id))
            except Rejected:
                direct = await adapter.open_direct_chat(message.sender.id)
                await adapter.send(replace(outgoing, chat_id=direct, thread_id=None))
        else:
            await adapter.send(outgoing)

    return follow_up
