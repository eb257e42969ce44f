"""One message on its way through the stages of the pipeline, with what each stage found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.events import message_event
from agent_channels.core.journal.pending_groups import PendingGroup
from agent_channels.core.people.access import Verdict
from agent_channels.core.scheduling import FollowUp

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


def answer_with(adapter: Adapter, message: Message, text: str, *, code: str | None = None) -> FollowUp:
    """Return the call that answers a message with a text of our own; `code` is the part of it to copy.

    If the platform wants the command itself answered, the text is its answer.
    """

    async def follow_up() -> None:
        if message.answer_id is not None:
            await adapter.answer_tap(message.answer_id, text, alert=False, counted=False)
        else:
            await adapter.send(Outgoing(message.chat.id, text, thread_id=message.thread_id, code=code))

    return follow_up
