"""The questions table: who was asked, and where, for which project their messages are; one question in each place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, Row, parsed

__all__ = ["Asked", "Question", "Questions"]

# By name: one that is prepared with a * fails once a newer program has added a column.
_COLUMNS = "chat_id, thread_id, user_id, message_id, choices, project"


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """A person in a place, of whom a question is asked. `thread_id` is empty outside threads."""

    chat_id: str
    thread_id: str
    user_id: str


@frozen
class Question:
    """A question: `choices` are the projects on its buttons in order, `project` the answer, or empty."""

    asked: Asked
    message_id: str
    choices: tuple[str, ...]
    project: str


class Questions:
    """The questions of one bot."""

    def __init__(self, db: HubDatabase, bot: str) -> None:
        self._db, self._bot = db, bot

    async def open(self, asked: Asked, choices: Sequence[str]) -> bool:
        """Open a question unless one is open there; return whether it is still to be sent. Raises `StoreError`."""
        place = (self._bot, asked.chat_id, asked.thread_id, asked.user_id)
        async with self._db.transaction() as tx:
            # One that was answered makes place for the next.
            await tx.execute(
                "INSERT INTO questions (bot, chat_id, thread_id, user_id, message_id, choices, project, asked_at) "
                "VALUES (?, ?, ?, ?, '', ?, '', {now}) ON CONFLICT (bot, chat_id, thread_id, user_id) DO UPDATE SET "
                "message_id = '', choices = excluded.choices, project = '', asked_at = excluded.asked_at "
                "WHERE questions.project <> '' OR questions.message_id = ''",
                *place, json.dumps(list(choices)),
            )  # fmt: skip
            rows = await tx.rows(
                "SELECT 1 FROM questions WHERE bot = ? AND chat_id = ? AND thread_id = ? AND user_id = ? "
                "AND message_id = ''",
                *place,
            )
        return bool(rows)

    async def sent(self, asked: Asked, message_id: str) -> bool:
        """Record which message is a question; return False if it needs no answer any more. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            changed = await tx.execute(
                "UPDATE questions SET message_id = ? WHERE bot = ? AND chat_id = ? AND thread_id = ? AND user_id = ? "
                "AND project = ''",
                message_id, self._bot, asked.chat_id, asked.thread_id, asked.user_id,
            )  # fmt: skip
        return bool(changed)

    async def of(self, asked: Asked) -> Question | None:
        """Return the last question that a person was asked in a place. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_COLUMNS} FROM questions WHERE bot = ? AND chat_id = ? AND thread_id = ? AND user_id = ?",
                self._bot, asked.chat_id, asked.thread_id, asked.user_id,
            )  # fmt: skip
        return _question(rows[0]) if rows else None

    async def on(self, chat_id: str, message_id: str) -> Question | None:
        """Return the question that a message is. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_COLUMNS} FROM questions WHERE bot = ? AND chat_id = ? AND message_id = ?",
                self._bot, chat_id, message_id,
            )  # fmt: skip
        return _question(rows[0]) if rows and message_id else None

    async def answer(self, asked: Asked, project: str) -> bool:
        """Record the answer; return False if there is one already. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            changed = await tx.execute(
                "UPDATE questions SET project = ? WHERE bot = ? AND chat_id = ? AND thread_id = ? AND user_id = ? "
                "AND project = ''",
                project, self._bot, asked.chat_id, asked.thread_id, asked.user_id,
            )  # fmt: skip
        return bool(changed)

    async def unanswered(self) -> list[Question]:
        """Return every open question. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_COLUMNS} FROM questions WHERE bot = ? AND project = '' ORDER BY chat_id, thread_id, user_id",
                self._bot,
            )
        return [_question(row) for row in rows]

    async def migrate_chat(self, old_id: str, new_id: str) -> None:
        """Have the open questions of a chat be asked again under its new id. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            where = "bot = ? AND chat_id = ? AND project = ''"
            await tx.execute(
                "INSERT INTO questions (bot, chat_id, thread_id, user_id, message_id, choices, project, asked_at) "
                f"SELECT bot, CAST(? AS TEXT), thread_id, user_id, '', choices, '', asked_at FROM questions "
                f"WHERE {where} ON CONFLICT DO NOTHING",
                new_id, self._bot, old_id,
            )  # fmt: skip
            await tx.execute(f"DELETE FROM questions WHERE {where}", self._bot, old_id)

    async def prune(self, days: float) -> None:
        """Delete the answered questions that are older. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "DELETE FROM questions WHERE bot = ? AND project <> '' AND asked_at < {now} - ?",
                self._bot, days * 86_400,
            )  # fmt: skip


def _question(row: Row) -> Question:
    asked = Asked(row["chat_id"], row["thread_id"], row["user_id"])
    return Question(asked, row["message_id"], parsed("choices", row["choices"], _choices) or (), row["project"])


def _choices(found: Any) -> tuple[str, ...]:
    return tuple(map(str, found))
