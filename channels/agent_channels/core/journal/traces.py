"""Which trace a message belongs to, and the spans of its way in: received, journalled, offered.

The names follow https://github.com/open-telemetry/semantic-conventions/blob/v1.45.0/docs/messaging/messaging-spans.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from agent_channels.core import tracing
from agent_channels.core.frozen import frozen
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.tracing import SpanPlace

__all__ = ["ReceivedTrace", "message_attributes", "offer_span", "trace_answer"]


@frozen
class ReceivedTrace:
    """What is traced of an update once its transaction is committed."""

    system: str
    delivery_id: str
    chat_id: str | None
    state: str
    received_at: float
    place: SpanPlace
    inside: SpanPlace | None
    error: str | None

    @classmethod
    def of(cls, inbox: Inbox, system: str, entry_id: int, received_at: float, error: str | None) -> ReceivedTrace:
        """Return what is traced of an entry as it was sorted, in the transaction that sorted it."""
        row = inbox.trace_rows([entry_id])[0]
        inside = _inside(inbox, json.loads(row["meta"] or "{}"))
        place = tracing.message_place(row["delivery_id"], inside)
        return cls(
            system, row["delivery_id"], row["chat_id"], row["state"], received_at, place, SpanPlace.of(inside), error
        )

    def record(self) -> None:
        """Record the message's first span, and the one of the journal below it."""
        now = time.time()
        attributes = {
            **message_attributes(self.system, "process", self.chat_id),
            "messaging.message.id": self.delivery_id,
            "agent_channels.state": self.state,
        }
        tracing.record(
            f"process {self.system}",
            "consumer",
            attributes,
            begin_s=self.received_at,
            end_s=now,
            parent=self.inside,
            at=self.place,
            error=self.error,
        )
        stored = {"db.system.name": "sqlite", "db.operation.name": "COMMIT"}
        tracing.record("journal", "internal", stored, begin_s=self.received_at, end_s=now, parent=self.place)


def message_attributes(system: str, operation: str, chat_id: str | None) -> dict[str, str | int | bool]:
    """Return the attributes that spans about a message have in common; `operation`: process or send."""
    chat = {"messaging.message.conversation_id": tracing.hashed(chat_id)} if chat_id else {}
    return {
        "messaging.system": system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        **chat,
    }


def offer_span(inbox: Inbox, entry: Entry, mode: str) -> AbstractContextManager[Any]:
    """Return the block in which an entry is handed to the host; its offer has been counted."""
    if not tracing.is_on():
        return tracing.span("", "internal", {})
    message = tracing.message_place(entry.delivery_id, _inside(inbox, entry.meta))
    attributes: dict[str, str | int | bool] = {
        "messaging.message.id": entry.delivery_id,
        "agent_channels.mode": mode,
        "agent_channels.offers": entry.offers,
    }
    at = tracing.offer_place(message, entry.delivery_id, entry.offers)
    # The other messages of a group have traces of their own.
    listed = json.loads(entry.meta.get("delivery_ids") or "[]")
    others = [tracing.message_place(other) for other in listed if other != entry.delivery_id]
    return tracing.span(f"offer {mode}", "internal", attributes, parent=message, at=at, links=others)


def trace_answer(inbox: Inbox, entry_ids: Sequence[int]) -> None:
    """Put the tool call of this task below the offer of the newest of these entries, and link it to all of them."""
    if not tracing.is_on() or not entry_ids:
        return
    messages, parent = [], None
    for row in inbox.trace_rows(entry_ids):
        message = tracing.message_place(row["delivery_id"], _inside(inbox, json.loads(row["meta"] or "{}")))
        messages.append(message)
        parent = tracing.offer_place(message, row["delivery_id"], row["offers"])
    if parent is not None:
        tracing.answering(parent, messages)


def _inside(inbox: Inbox, meta: Mapping[str, str]) -> str | None:
    """Return the `traceparent` of the question that a tap answers."""
    return inbox.panel_trace(meta["panel_id"]) if "panel_id" in meta else None
