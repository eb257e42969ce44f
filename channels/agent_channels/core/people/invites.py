"""Invitations: the operator makes a code, whoever sends it to the bot first is in.

A code is 12 characters of the pairing alphabet (60 bits), kept only as a hash, good for ten minutes and for one person.
It is none of the three pairings that strangers can ask for, so nobody can crowd it out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent_channels.core.contract.messages import Message
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.people.access import Access
from agent_channels.core.people.pairing import ALPHABET
from agent_channels.core.store.database import Store

__all__ = ["Invitation", "Invites"]

LENGTH = 12
VALID_S = 600.0
# What was sent in time may be read much later; platforms keep messages for a bot that is away for a day.
KEPT_S = 86_400.0
_CODE = re.compile(rf"(?:/start(?:@\w+)?\s+)?([{ALPHABET}]{{{LENGTH}}})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code, and until when it is good (epoch seconds)."""

    code: str
    expires_at: float


class Invites:
    """The invites table, with the access, pairing and inbox rows that change together with it."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._access, self._inbox, self._clock = Access(store), Inbox(store), clock

    def make(self) -> Invitation:
        """A fresh code; it is shown now and never again."""
        code, now = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)), self._clock()
        with self.store.transaction() as db:
            db.execute("DELETE FROM invites WHERE expires_at < ?", (now - KEPT_S,))
            db.execute("INSERT INTO invites VALUES (?, ?, ?, NULL, NULL)", (_hash(code), now, now + VALID_S))
            self._access.audit("invite")
        return Invitation(code, now + VALID_S)

    def redeem(self, message: Message, notice: str) -> bool:
        """Lets the sender of a good code in, opens what they said meanwhile, and has them told; False for no such code.

        What counts is when the code was sent, on the platform's clock or on ours.
        """
        sender, found = message.sender, _CODE.fullmatch(message.text.strip())
        if found is None or message.chat.kind != "direct" or message.edited or sender.is_bot:
            return False
        now = self._clock()
        with self.store.transaction() as db:
            taken = db.execute(
                "UPDATE invites SET used_at = ?, used_by = ? WHERE code_hash = ? AND used_at IS NULL AND "
                "expires_at > ? AND (expires_at >= ? OR expires_at >= ?)",
                (now, sender.id, _hash(found[1].upper()), now - KEPT_S, now, message.ts.timestamp()),
            ).rowcount
            if not taken:
                return False
            self._access.allow(sender.id, by="invite", name=sender.name, username=sender.username)
            self._access.audit("invite used", sender.id)
            db.execute("DELETE FROM pairings WHERE user_id = ?", (sender.id,))
            self._inbox.release(sender.id)
            db.execute(
                "INSERT INTO notices (chat_id, text, created_at) VALUES (?, ?, ?)", (message.chat.id, notice, now)
            )
        return True


def _hash(code: str) -> bytes:
    # 60 random bits that are worth anything for minutes: a plain hash is out of reach, and strangers cannot make us
    # compute a slow one.
    return hashlib.sha256(code.encode()).digest()
