"""The ledger of what was sent: written before and after every part, so that nothing is sent twice by itself.

An idempotency key names one send. The same key with the same arguments returns the first result; after a failure it
goes on with the parts that did not go. A part whose fate is unknown is never sent again under its key.
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
    """One send. `parts`: part number -> (state, message id); states: sending, sent, failed, unknown."""

    id: int
    key: str
    result: str | None
    parts: dict[int, tuple[str, str | None]]

    def settled(self, number: int) -> bool:
        """Whether a part is not to be sent any more: it was, or may have been."""
        return self.parts.get(number, ("", None))[0] in {"sent", "unknown"}

    def ids(self) -> list[str]:
        """The ids of the messages that went, in order."""
        return [message_id for _, (_, message_id) in sorted(self.parts.items()) if message_id]


class Outbox:
    """The tables outbox and outbox_parts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def begin(self, key: str, chat_id: str, arguments: str, first: Sequence[int] = ()) -> Shipment:
        """The send named `key`, new or as far as it came. Of a new one the parts `first` are under way then.

        `arguments`: everything else that makes it this send.

        Raises `Refused` when the key already names a send with other arguments.
        """
        digest = hashlib.sha256(arguments.encode("utf-8", "surrogatepass")).hexdigest()
        with self.store.transaction() as db:
            new = db.execute(
                "INSERT INTO outbox (key, digest, chat_id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (key, digest, chat_id, time.time()),
            )
            if new.rowcount and new.lastrowid is not None:
                shipment = Shipment(new.lastrowid, key, None, {})
                self.parts(shipment, first, "sending")
                return shipment
            row = self.store.row("SELECT * FROM outbox WHERE key = ?", key)
        if row is None or row["digest"] != digest:
            raise Refused(f"idempotency_key {key!r} was used for another message; use a new key for a new message")
        parts = self.store.rows("SELECT * FROM outbox_parts WHERE outbox_id = ?", row["id"])
        # A part that was on its way when its process died may or may not have arrived.
        states = {p["part"]: ("unknown" if p["state"] == "sending" else p["state"], p["message_id"]) for p in parts}
        return Shipment(row["id"], key, row["result"], states)

    def parts(
        self, shipment: Shipment, numbers: Sequence[int], state: str, ids: Sequence[str] = (), error: str = ""
    ) -> None:
        """Writes down how far parts came that go together; `ids`: their messages, which may be fewer."""
        now = time.time()
        with self.store.transaction() as db:
            for number, message_id in zip_longest(numbers, ids[: len(numbers)]):
                shipment.parts[number] = (state, message_id)
                db.execute(
                    "INSERT OR REPLACE INTO outbox_parts VALUES (?, ?, ?, ?, ?, ?)",
                    (shipment.id, number, state, message_id, error, now),
                )

    def holds(self, chat_id: str, message_id: str) -> bool:
        """Whether a message was sent for the agent: a card, a notice or a pairing code was not."""
        return bool(
            self.store.value(
                "SELECT 1 FROM outbox_parts p JOIN outbox o ON o.id = p.outbox_id WHERE p.message_id = ? "
                "AND o.chat_id = ?",
                message_id,
                chat_id,
            )
        )

    def done(self, shipment: Shipment, result: str) -> None:
        """Every part went: this is what the same key will answer from now on."""
        shipment.result = result
        with self.store.transaction() as db:
            db.execute("UPDATE outbox SET state = 'done', result = ? WHERE id = ?", (result, shipment.id))
