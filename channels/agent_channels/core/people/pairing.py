"""Pairing: a stranger gets a code, the operator types it at a terminal, the person is in.

A code is 8 characters of a 32-letter alphabet without look-alikes (40 bits), kept only as a salted hash and valid for
one hour. Each person has one code at a time: the process that made it can repeat it, another one makes a new one in its
place. At most 3 people wait at a time, each gets at most 2 replies, and 5 wrong codes lock approval for an hour.
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
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.people.access import Access
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Row
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.store.notices import Notices

__all__ = ["ALPHABET", "HELD_MAX", "LENGTH", "REPLIES_MAX", "VALID_S", "Applicant", "Pairing", "is_code"]

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 8
VALID_S = 3600.0
PENDING_MAX = 3
REPLIES_MAX = 2
HELD_MAX = 3
# To how many people an hour the bot writes that too many wait: a flood must not make it write to thousands.
CROWDED_MAX = 20
CROWDED = "crowded:"
# Refusals recorded an hour.
REFUSED_MAX = 100
WRONG_MAX = 5
LOCKOUT_S = 3600.0
KEEP_S = 86_400.0
ROUNDS = 20_000


@frozen
class Applicant:
    """Somebody who waits for approval, or was just approved. `asked_at` is in epoch seconds."""

    user_id: str
    chat_id: str
    name: str
    username: str | None
    asked_at: float


@dataclass(slots=True)
class _GivenCode:
    """A code that this process made: the salt of its row, and how often its person got it."""

    code: str
    salt: bytes
    replies: int = 0


class Pairing:
    """The pairings table, with the access and inbox rows that change together with it."""

    def __init__(
        self,
        access: Access,
        inbox: Inbox,
        notices: Notices,
        key_values: KeyValue,
        audit: Audit,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = access.store
        self._access, self._inbox, self._notices = access, inbox, notices
        self._key_values, self._audit, self._clock = key_values, audit, clock
        # By user id. Only this process can repeat these: the store has their hashes alone.
        self._given: dict[str, _GivenCode] = {}

    def ask(self, chat: Chat, person: Person) -> str | None:
        """Return a stranger's code, valid from now on; None if they had their replies or too many others wait.

        It is the code that they have, as long as that is valid.
        """
        now = self._clock()
        with self.store.transaction() as db:
            self.expire()
            active = self.store.rows("SELECT user_id, created_at, salt FROM pairings WHERE expires_at > ?", now)
            waiting = {row["user_id"]: row for row in active}
            if person.id not in waiting and len(waiting) >= PENDING_MAX:
                # Counted for the operator; a flood is not written down line by line.
                if self._audit.count("pairing refused", since=time.time() - VALID_S) < REFUSED_MAX:
                    self._audit.add("pairing refused", person.id, "too many people are waiting")
                return None
            current = {bytes(row["salt"]) for row in active}
            self._given = {who: given for who, given in self._given.items() if given.salt in current}
            given = self._given.get(person.id)
            if given is None:
                given = self._given[person.id] = self._new_code(chat, person, waiting.get(person.id), now)
            if given.replies >= REPLIES_MAX:
                return None
            given.replies += 1
            db.execute("UPDATE pairings SET expires_at = ? WHERE salt = ?", (now + VALID_S, given.salt))
            return given.code

    def _new_code(self, chat: Chat, person: Person, old: Row | None, now: float) -> _GivenCode:
        """Make a code, in place of an `old` one that another process made."""
        code, salt = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)), secrets.token_bytes(16)
        with self.store.transaction() as db:
            db.execute("DELETE FROM pairings WHERE user_id = ? AND expires_at > ?", (person.id, now))
            db.execute(
                "INSERT INTO pairings (user_id, chat_id, name, username, salt, code_hash, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    person.id, chat.id, person.name, person.username, salt, _hash(code, salt),
                    old["created_at"] if old else now, now + VALID_S,
                ),
            )  # fmt: skip
        return _GivenCode(code, salt)

    def replies(self, user_id: str) -> int:
        """Return how often this process gave somebody the code that they have."""
        given = self._given.get(user_id)
        return given.replies if given else 0

    def is_waiting(self, user_id: str) -> bool:
        """Return True if this person has a code that can still be approved."""
        return bool(
            self.store.value("SELECT 1 FROM pairings WHERE user_id = ? AND expires_at > ?", user_id, self._clock())
        )

    def crowded_out(self, user_id: str) -> bool:
        """Return True if this person has to be told that too many wait: once an hour, and so many people at most."""
        now = self._clock()
        if self.is_waiting(user_id):
            return False
        with self.store.transaction():
            self._forget_crowded(now)
            if self._key_values.count(CROWDED) >= CROWDED_MAX:
                return False
            return self._key_values.add(f"{CROWDED}{user_id}", str(now))

    def _forget_crowded(self, now: float) -> None:
        self._key_values.delete_before(CROWDED, now - VALID_S)

    def may_hold(self, user_id: str) -> bool:
        """Return True if one more message of somebody who waits is kept until the approval."""
        return self.is_waiting(user_id) and self._inbox.held_count(user_id) < HELD_MAX

    def pending(self) -> list[Applicant]:
        """Return everybody who waits, oldest first, each once."""
        rows = self.store.rows(
            "SELECT user_id, chat_id, name, username, min(created_at) AS created_at FROM pairings WHERE expires_at > ? "
            "GROUP BY user_id ORDER BY created_at",
            self._clock(),
        )
        return [_applicant(row) for row in rows]

    def approve(self, code: str, notice: Callable[[Applicant], str]) -> Applicant:
        """Let the person with this code in, deliver what they said meanwhile, and have them told `notice`.

        All in one transaction. Raises `Refused` for a wrong or expired code, or while locked out.
        """
        with self.store.transaction():
            applicant = self._take(code)
            if applicant is not None:
                self.let_in(applicant, by="pairing", notice=notice(applicant))
                return applicant
        # Outside the transaction, which must keep the count of wrong codes.
        raise Refused(self._why_not(code))

    def admit(self, user_id: str, notice: Callable[[Applicant], str]) -> Applicant | None:
        """Let somebody who waits in by id, as by code; return None if they do not wait."""
        row = self.store.row("SELECT * FROM pairings WHERE user_id = ? ORDER BY id DESC", user_id)
        if row is None:
            return None
        applicant = _applicant(row)
        self.let_in(applicant, by="operator", notice=notice(applicant))
        return applicant

    def let_in(self, applicant: Applicant, *, by: str, notice: str) -> None:
        """Let a person in, deliver what they said before, and have them told `notice`; `by` is for the record."""
        with self.store.transaction() as db:
            self._access.allow(applicant.user_id, by=by, name=applicant.name, username=applicant.username)
            db.execute("DELETE FROM pairings WHERE user_id = ?", (applicant.user_id,))
            self._inbox.release(applicant.user_id)
            self._notices.add(applicant.chat_id, notice)

    def deny(self, code: str) -> Applicant:
        """Turn the person with this code away and drop what they said. Raises `Refused` as `approve` does."""
        with self.store.transaction():
            applicant = self._take(code, guess=False)
            if applicant is not None:
                self._inbox.forget_held([applicant.user_id])
                self._audit.add("deny", applicant.user_id)
                return applicant
        raise Refused(self._why_not(code, guess=False))

    def expire(self) -> None:
        """Drop what was kept for codes that ran out; hashes stay a day, to tell an expired code from a wrong one."""
        now = self._clock()
        with self.store.transaction() as db:
            gone = self.store.rows(
                "SELECT user_id FROM pairings WHERE NOT ended GROUP BY user_id HAVING max(expires_at) <= ?", now
            )
            self._inbox.forget_held(row["user_id"] for row in gone)
            db.execute("UPDATE pairings SET ended = 1 WHERE expires_at <= ?", (now,))
            db.execute("DELETE FROM pairings WHERE expires_at <= ?", (now - KEEP_S,))

    def prune(self) -> int:
        """Drop what ran out; return 0, since nothing of it is left."""
        if self.store.value("SELECT 1 FROM pairings LIMIT 1"):
            self.expire()
        self._forget_crowded(self._clock())
        return 0

    def _take(self, code: str, *, guess: bool = True) -> Applicant | None:
        """Return the person with this code, off the list; only what would let somebody in counts as a guess."""
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
            self._key_values.delete("wrong_codes")
            return _applicant(row)

    def _find(self, code: str) -> Row | None:
        wanted = _normal(code)
        rows = self.store.rows("SELECT * FROM pairings ORDER BY expires_at DESC LIMIT 20")
        return next((r for r in rows if hmac.compare_digest(_hash(wanted, r["salt"]), r["code_hash"])), None)

    def _count_wrong(self) -> None:
        now = self._clock()
        times = [t for t in self._wrong_times() if t > now - LOCKOUT_S] + [now]
        with self.store.transaction():
            self._key_values.set("wrong_codes", " ".join(map(repr, times)))
            self._audit.add("wrong pairing code")

    def _wrong_times(self) -> list[float]:
        return [float(t) for t in (self._key_values.get("wrong_codes") or "").split()]

    def _locked_for(self) -> float:
        # Those kept were within an hour when the last one was counted; the lock's hour begins with that one.
        times = self._wrong_times()
        return times[-1] + LOCKOUT_S - self._clock() if len(times) >= WRONG_MAX else 0.0

    def _why_not(self, code: str, *, guess: bool = True) -> str:
        locked = self._locked_for()
        if guess and locked > 0:
            return sentence(
                "{most} wrong codes were tried; approval by code is locked for {minutes} more minutes. The operator "
                "can still let a person in by id: `allow ID`",
                most=WRONG_MAX,
                minutes=max(1, round(locked / 60)),
            )
        if self._find(code) is not None:
            return sentence(
                "the code {code!r} has expired; ask the person to write to the bot again for a new one",
                code=_normal(code),
            )
        if not guess:
            return sentence(
                "no pending pairing has the code {code!r}; check it for typing errors", code=_normal(code)[:20]
            )
        left = WRONG_MAX - len([t for t in self._wrong_times() if t > self._clock() - LOCKOUT_S])
        return sentence(
            "no pending pairing has the code {code!r}; check it for typing errors, or have the person write to the bot "
            "again ({left} more wrong codes lock approval for an hour)",
            code=_normal(code)[:20],
            left=left,
        )


def is_code(text: str) -> bool:
    """Return whether a text has a code's length; spaces and dashes in it do not count."""
    return len(_normal(text)) == LENGTH


def _normal(code: str) -> str:
    return "".join(code.split()).replace("-", "").upper()


def _hash(code: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", code.encode("utf-8", "replace"), salt, ROUNDS)


def _applicant(row: Row) -> Applicant:
    return Applicant(row["user_id"], row["chat_id"], row["name"], row["username"], row["created_at"])
