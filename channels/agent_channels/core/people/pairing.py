"""Pairing: a stranger gets a code, the operator types it at a terminal, the person is in.

A code is 8 characters of a 32-letter alphabet without look-alikes (40 bits), kept only as a salted hash, valid for one
hour. At most 3 people wait at a time, each gets at most 2 replies, and 5 wrong codes lock approval for an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import Refused
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.people.access import Access
from agent_channels.core.store.database import Row, Store

__all__ = ["ALPHABET", "Asker", "Pairing"]

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 8
VALID_S = 3600.0
PENDING_MAX = 3
REPLIES_MAX = 2
HELD_MAX = 3
WRONG_MAX = 5
LOCKOUT_S = 3600.0
KEPT_S = 86_400.0
ROUNDS = 20_000


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who waits for approval, or was just approved."""

    user_id: str
    chat_id: str
    name: str
    username: str | None
    asked_at: float


class Pairing:
    """The pairings table, with the access and inbox rows that change together with it."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.access = Access(store)
        self.inbox = Inbox(store)
        self._clock = clock

    def ask(self, chat: Chat, person: Person) -> str | None:
        """A fresh code for a stranger; None when they had their replies or too many others wait."""
        now = self._clock()
        with self.store.transaction() as db:
            self.expire()
            active = self.store.rows("SELECT user_id FROM pairings WHERE expires_at > ?", now)
            askers = {row["user_id"] for row in active}
            given = sum(row["user_id"] == person.id for row in active)
            if given >= REPLIES_MAX or (not given and len(askers) >= PENDING_MAX):
                if not given:
                    self.access.audit("pairing refused", person.id, "too many people are waiting")
                return None
            code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
            salt = secrets.token_bytes(16)
            db.execute(
                "INSERT INTO pairings (user_id, chat_id, name, username, salt, code_hash, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (person.id, chat.id, person.name, person.username, salt, _hash(code, salt), now, now + VALID_S),
            )
            return code

    def waiting(self, user_id: str) -> bool:
        """Whether this person has a code that can still be approved."""
        return bool(
            self.store.value("SELECT 1 FROM pairings WHERE user_id = ? AND expires_at > ?", user_id, self._clock())
        )

    def crowded_out(self, user_id: str) -> bool:
        """Whether this person got no code because too many wait; true once an hour, so that they are told once."""
        key, now = f"crowded:{user_id}", self._clock()
        if self.store.value("SELECT count(*) FROM pairings WHERE user_id = ? AND expires_at > ?", user_id, now):
            return False
        with self.store.transaction() as db:
            db.execute("DELETE FROM settings WHERE key LIKE 'crowded:%' AND CAST(value AS REAL) < ?", (now - VALID_S,))
            return bool(
                db.execute("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (key, str(now))).rowcount
            )

    def keep(self, user_id: str) -> bool:
        """Whether one more message of somebody who waits is kept for after the approval."""
        return self.waiting(user_id) and self.inbox.held(user_id) < HELD_MAX

    def pending(self) -> list[Asker]:
        """Everybody who waits, oldest first, each once."""
        rows = self.store.rows(
            "SELECT user_id, chat_id, name, username, min(created_at) AS created_at FROM pairings WHERE expires_at > ? "
            "GROUP BY user_id ORDER BY created_at",
            self._clock(),
        )
        return [_asker(row) for row in rows]

    def approve(self, code: str, notice: Callable[[Asker], str]) -> Asker:
        """Lets the person with this code in, opens what they said meanwhile, and has them told `notice`.

        All in one transaction. Raises `Refused` for a wrong or expired code, or while locked out.
        """
        with self.store.transaction() as db:
            asker = self._take(code)
            if asker is not None:
                self.access.allow(asker.user_id, by="pairing", name=asker.name, username=asker.username)
                self.inbox.release(asker.user_id)
                db.execute(
                    "INSERT INTO notices (chat_id, text, created_at) VALUES (?, ?, ?)",
                    (asker.chat_id, notice(asker), self._clock()),
                )
                return asker
        # Outside the transaction, which must keep the count of wrong codes.
        raise Refused(self._why_not(code))

    def admit(self, user_id: str, notice: Callable[[Asker], str]) -> Asker | None:
        """Somebody who waits is let in by id: as by code. None when they do not wait."""
        row = self.store.row("SELECT * FROM pairings WHERE user_id = ? ORDER BY id DESC", user_id)
        if row is None:
            return None
        asker = _asker(row)
        with self.store.transaction() as db:
            self.access.allow(asker.user_id, by="operator", name=asker.name, username=asker.username)
            self.inbox.release(asker.user_id)
            db.execute("DELETE FROM pairings WHERE user_id = ?", (user_id,))
            db.execute(
                "INSERT INTO notices (chat_id, text, created_at) VALUES (?, ?, ?)",
                (asker.chat_id, notice(asker), self._clock()),
            )
        return asker

    def deny(self, code: str) -> Asker:
        """Turns the person with this code away and drops what they said. Raises `Refused` as `approve` does."""
        with self.store.transaction():
            asker = self._take(code, guess=False)
            if asker is not None:
                self.inbox.forget([asker.user_id])
                self.access.audit("deny", asker.user_id)
                return asker
        raise Refused(self._why_not(code, guess=False))

    def expire(self) -> None:
        """Drops what was kept for codes that ran out; hashes stay a day, to tell an expired code from a wrong one."""
        now = self._clock()
        with self.store.transaction() as db:
            gone = self.store.rows(
                "SELECT user_id FROM pairings WHERE NOT ended GROUP BY user_id HAVING max(expires_at) <= ?", now
            )
            self.inbox.forget(row["user_id"] for row in gone)
            db.execute("UPDATE pairings SET ended = 1 WHERE expires_at <= ?", (now,))
            db.execute("DELETE FROM pairings WHERE expires_at <= ?", (now - KEPT_S,))

    def _take(self, code: str, *, guess: bool = True) -> Asker | None:
        """The person with this code, taken off the list; only what would let somebody in counts as a guess."""
        with self.store.transaction() as db:
            self.expire()
            if guess and self._locked_for() > 0:
                return None
            row = self._find(code)
            if row is None:
                if guess and _normal(code):
                    self._count_wrong()
                return None
            if row["expires_at"] <= self._clock():
                return None
            db.execute("DELETE FROM pairings WHERE user_id = ?", (row["user_id"],))
            db.execute("DELETE FROM settings WHERE key = 'wrong_codes'")
            return _asker(row)

    def _find(self, code: str) -> Row | None:
        wanted = _normal(code)
        rows = self.store.rows("SELECT * FROM pairings ORDER BY expires_at DESC LIMIT 20")
        return next((r for r in rows if hmac.compare_digest(_hash(wanted, r["salt"]), r["code_hash"])), None)

    def _count_wrong(self) -> None:
        now = self._clock()
        times = [t for t in self._wrong_times() if t > now - LOCKOUT_S] + [now]
        with self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES ('wrong_codes', ?)", (" ".join(map(repr, times)),))
            self.access.audit("wrong pairing code")

    def _wrong_times(self) -> list[float]:
        value = self.store.value("SELECT value FROM settings WHERE key = 'wrong_codes'")
        return [float(t) for t in (value or "").split()]

    def _locked_for(self) -> float:
        # Those kept lay within an hour when the last one was counted; the lock's hour begins with that one.
        times = self._wrong_times()
        return times[-1] + LOCKOUT_S - self._clock() if len(times) >= WRONG_MAX else 0.0

    def _why_not(self, code: str, *, guess: bool = True) -> str:
        locked = self._locked_for()
        if guess and locked > 0:
            return (
                f"{WRONG_MAX} wrong codes were tried; approval by code is locked for {max(1, round(locked / 60))} more "
                "minutes. The operator can still let a person in by id: `allow ID`"
            )
        if self._find(code) is not None:
            return f"the code {_normal(code)!r} has expired; ask the person to write to the bot again for a new one"
        if not guess:
            return f"no pending pairing has the code {_normal(code)[:20]!r}; check it for typing errors"
        left = WRONG_MAX - len([t for t in self._wrong_times() if t > self._clock() - LOCKOUT_S])
        return (
            f"no pending pairing has the code {_normal(code)[:20]!r}; check it for typing errors, or have the person "
            f"write to the bot again ({left} more wrong codes lock approval for an hour)"
        )


def _normal(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()


def _hash(code: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", code.encode("utf-8", "replace"), salt, ROUNDS)


def _asker(row: Row) -> Asker:
    return Asker(row["user_id"], row["chat_id"], row["name"], row["username"], row["created_at"])
