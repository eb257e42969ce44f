"""Invitations: the operator makes a code, and the first person who sends it to the bot is in.

A code is 12 characters of the pairing alphabet (60 bits), kept only as a hash, valid for ten minutes and for one
person. It does not count among the three pairings that strangers can ask for, so nobody can crowd it out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Literal

from agent_channels.core.contract.messages import Message
from agent_channels.core.frozen import frozen
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.people.pairing import ALPHABET, Applicant, Pairing
from agent_channels.core.store.audit import Audit

__all__ = ["Invitation", "Invites"]

LENGTH = 12
VALID_S = 600.0
# What was sent in time may be read much later: platforms keep messages for a bot that is away for a day.
KEEP_S = 86_400.0
# Where several projects share the bot, the code stands behind the id of the one that invites.
_CODE = lazy_pattern(rf"(?:/start(?:@\w+)?\s+)?(?:[a-z]{{8}}-)?([{ALPHABET}]{{{LENGTH}}})", re.IGNORECASE)


@frozen
class Invitation:
    """A code, and until when it is valid (epoch seconds)."""

    code: str
    expires_at: float


class Invites:
    """The invites table."""

    def __init__(self, pairing: Pairing, audit: Audit, *, clock: Callable[[], float] = time.time) -> None:
        self.store = pairing.store
        self._pairing, self._audit, self._clock = pairing, audit, clock

    def create(self) -> Invitation:
        """Make a new code; it is shown now and never again."""
        code, now = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)), self._clock()
        with self.store.transaction() as db:
            self.prune()
            db.execute("INSERT INTO invites VALUES (?, ?, ?, NULL, NULL)", (_hash(code), now, now + VALID_S))
            self._audit.add("invite")
        return Invitation(code, now + VALID_S)

    def prune(self) -> int:
        """Delete the codes that ran out long ago; return 0, since none of them is left."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM invites WHERE expires_at < ?", (self._clock() - KEEP_S,))
        return 0

    def redeem(self, message: Message, notice: str) -> bool:
        """Let the sender of a valid code in and have them told `notice`; return False if the message is not one.

        What counts is when the code was sent, by the platform's clock or by ours.
        """
        sender, code = message.sender, _code_in(message)
        if code is None:
            return False
        now = self._clock()
        with self.store.transaction() as db:
            taken = db.execute(
                "UPDATE invites SET used_at = ?, used_by = ? WHERE code_hash = ? AND used_at IS NULL AND "
                "expires_at > ? AND (expires_at >= ? OR expires_at >= ?)",
                (now, sender.id, _hash(code), now - KEEP_S, now, message.ts.timestamp()),
            ).rowcount
            if not taken:
                return False
            applicant = Applicant(sender.id, message.chat.id, sender.name, sender.username, now)
            self._pairing.let_in(applicant, by="invite", notice=notice)
            self._audit.add("invite used", sender.id)
        return True

    def why_not(self, message: Message) -> Literal["used", "expired"] | None:
        """Return why a code that was really issued lets its sender in no more; None for any other message."""
        code = _code_in(message)
        row = self.store.row("SELECT used_at FROM invites WHERE code_hash = ?", _hash(code)) if code else None
        if row is None:
            return None
        return "expired" if row["used_at"] is None else "used"


def _code_in(message: Message) -> str | None:
    """Return the code that a message is, if it can be one at all."""
    found = _CODE.fullmatch(message.text.strip())
    if found is None or message.chat.kind != "direct" or message.edited or message.sender.is_bot:
        return None
    return found[1].upper()


def _hash(code: str) -> bytes:
    # 60 random bits that are worth something for minutes: a plain hash cannot be reversed in time, and strangers must
    # not be able to make us compute a slow one.
    return hashlib.sha256(code.encode()).digest()
