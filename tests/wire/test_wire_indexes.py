"""What is kept from before costs a message nothing: it is found through indexes, however much there is."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent_channels.core.store.database import Store
from ways import CHAT, SESSION, way

KEPT = 2000


async def steps(store: Store, work: Callable[[], Awaitable[None] | None]) -> int:
    """How many instructions SQLite's machine needs for it: a number that no busy machine changes."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    store._db.set_progress_handler(step, 1)
    if (rest := work()) is not None:
        await rest
    store._db.set_progress_handler(None, 1)
    return count


def keep(store: Store) -> None:
    """A long life in one chat: messages, answers, grids."""
    now = time.time()
    with store.transaction() as db:
        for n in range(KEPT):
            db.execute(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, state, chat_id, message_id, "
                "user_id, content, meta, image, attachments, session, mode, offers) VALUES ('1', ?, ?, '', ?, ?, ?, ?, "
                "?, 'x', '{}', '[]', '[]', ?, 'push', 1)",
                (f"old {n}", f"1.old {n}", now, "answered" if n % 2 else "dropped", CHAT, str(n), CHAT, SESSION),
            )
            db.execute(
                "INSERT INTO history (chat_id, message_id, kind, own, user, user_id, text, sought, at, files, indexed) "
                "VALUES (?, ?, 'message', 0, 'ann', ?, 'x', 'x', ?, '[]', 1)",
                (CHAT, str(n), CHAT, now),
            )
            db.execute(
                "INSERT INTO outbox (key, digest, chat_id, created_at, state) VALUES (?, '', ?, ?, 'done')",
                (f"old {n}", CHAT, now),
            )
            db.execute("INSERT INTO outbox_parts SELECT max(id), 0, 'sent', ?, '', ? FROM outbox", (str(n), now))
            db.execute(
                "INSERT INTO panels (id, chat_id, message_id, grid, state, created_at, expires_at) "
                "VALUES (?, ?, ?, '[]', 'answered', ?, ?)",
                (f"old {n}", CHAT, str(n), now, now + 1e6),
            )
            db.execute(
                "INSERT INTO presses (panel_id, position, user_id, user, at) VALUES (?, 0, ?, 'ann', ?)",
                (f"old {n}", CHAT, now),
            )


@pytest.mark.parametrize("part", ["message", "answer", "look"])
async def test_it_takes_as_many_steps_after_years_as_on_the_first_day(part: str, tmp_path: Path) -> None:
    """A message, its answer, and looking whether there is something to do."""
    async with way(tmp_path) as one:

        async def counted() -> int:
            if part == "answer":
                await one.message()
            found = await steps(one.store, getattr(one, part))
            if part == "message":
                one.answer()
            return found

        await counted()
        first = await counted()
        keep(one.store)
        assert await counted() <= first * 1.1
