"""The ledger of what was sent, written before and after every part, so that nothing is sent twice by itself.

An idempotency key names one send. The same key with the same arguments returns the first result; after a failure it
continues with the parts that were not sent. A part whose fate is unknown is never sent again under its key.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agent_channels.core.errors import Refused
from agent_channels.core.store.database import Store

__all__ = ["Outbox", "Shipment"]


@dataclass(slots=True)
class Shipment:
    """One send. `parts`: part number -> (state, message id); the states are sending, sent, failed and unknown."""

    id: int
    key: str
    result: str | None
    parts: dict[int, tuple[str, str | None]]

    def state(self, number: int) -> str:
        """Return a part's state; empty if it was not begun."""
        return self.parts.get(number, ("", None))[0]

    def settled(self, number: int) -> bool:
        """Return True if a part must not be sent any more: it was, or may have been."""
        return self.state(number) in {"sent", "unknown"}

    def message_ids(self) -> list[str]:
        """Return the ids of the messages that were sent, in order."""
        return [message_id for _, (_, message_id) in sorted(self.parts.items()) if message_id]


class Outbox:
    """The tables outbox and outbox_parts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self, key: str, chat_id: str, arguments: str, first: Sequence[int] = ()) -> Shipment:
        """Return the send named `key`: a new one, whose parts `first` are then being sent, or as far as it came.

        `arguments` is everything else that makes it this send. Raises `Refused` if the key names a send with others.
        """
        digest = hashlib.sha256(arguments.encode("utf-8", "surrogatepass")).hexdigest()
        with self.store.transaction() as db:
            new = db.execute(
                "INSERT INTO outbox (key, digest, chat_id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (key, digest, chat_id, time.time()),
            )
            if new.rowcount and new.lastrowid is not None:
                shipment = Shipment(new.lastrowid, key, None, {})
                self.record(shipment, first, "sending")
                return shipment
            row = self.store.row("SELECT * FROM outbox WHERE key = ?", key)
        if row is None or row["digest"] != digest:
            raise Refused(f"idempotency_key {key!r} was used for another message; use a new key for a new message")
        parts = self.store.rows("SELECT * FROM outbox_parts WHERE outbox_id = ?", row["id"])
        # A part that was being sent when its process died may or may not have arrived.
        states = {p["part"]: ("unknown" if p["state"] == "sending" else p["state"], p["message_id"]) for p in parts}
        return Shipment(row["id"], key, row["result"], states)

    def record(
        self, shipment: Shipment, numbers: Sequence[int], state: str, ids: Sequence[str] = (), error: str = ""
    ) -> None:
        """Record the state of parts that go together; `ids` are their messages, which may be fewer."""
        now = time.time()
        with self.store.transaction() as db:
            for number, message_id in zip_longest(numbers, ids[: len(numbers)]):
                shipment.parts[number] = (state, message_id)
                db.execute(
                    "INSERT INTO outbox_parts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (outbox_id, part) DO UPDATE "
                    "SET state = excluded.state, message_id = excluded.message_id, error = excluded.error, "
                    "at = excluded.at",
                    (shipment.id, number, state, message_id, error, now),
                )

    def finish(self, shipment: Shipment, result: str) -> None:
        """Record that every part was sent; `result` is what the same key returns from now on."""
        shipment.result = result
        with self.store.transaction() as db:
            db.execute("UPDATE outbox SET state = 'done', result = ? WHERE id = ?", (result, shipment.id))

    def contains(self, chat_id: str, message_id: str) -> bool:
        """Return True if the agent sent a message; cards, notices and pairing codes are not the agent's."""
        return bool(
            self.store.value(
                "SELECT 1 FROM outbox_parts p JOIN outbox o ON o.id = p.outbox_id WHERE p.message_id = ? "
                "AND o.chat_id = ?",
                message_id,
                chat_id,
            )
        )

    def sent_messages(self, limit: int) -> list[tuple[str, str]]:
        """Return the last messages that the agent sent, newest first: the chat and the message's id."""
        rows = self.store.rows(
            "SELECT o.chat_id, p.message_id FROM outbox_parts p JOIN outbox o ON o.id = p.outbox_id "
            "WHERE p.message_id IS NOT NULL ORDER BY p.outbox_id DESC LIMIT ?",
            limit,
        )
        return [(row["chat_id"], row["message_id"]) for row in rows]

    def forget_messages(self) -> None:
        """Forget the ids of all messages: another bot's may have the same ones."""
        with self.store.transaction() as db:
            db.execute("UPDATE outbox_parts SET message_id = NULL WHERE message_id IS NOT NULL")

    def sent_since(self, chat_id: str, since: float, *, without: str) -> bool:
        """Return True if anything was sent to a chat since then (epoch seconds), or may have been.

        Sends whose key begins with `without` do not count.
        """
        return bool(
            self.store.value(
                "SELECT 1 FROM outbox o JOIN outbox_parts p ON p.outbox_id = o.id WHERE o.chat_id = ? "
                "AND o.created_at >= ? AND p.state != 'failed' AND o.key NOT LIKE ? || '%' LIMIT 1",
                chat_id,
                since,
                without,
            )
        )

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` sends begun before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < ? LIMIT ?)", (before, limit)
            ).rowcount
