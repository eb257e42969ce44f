"""Journalling and sorting go together, and neither waits for the other where one of them fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import StoreError
from agent_channels.core.inbound.pipeline import BATCH_MAX
from agent_channels.core.services import Services
from updates import ANN, message, update
from ways import CHAT, way


def event(number: int, text: str, sender: dict[str, Any] = ANN) -> RawEvent:
    chat = {**sender, "type": "private"}
    return RawEvent(
        str(number), update("message", message(message_id=number, text=text, chat=chat, **{"from": sender}))
    )


async def test_what_comes_is_journalled_and_sorted_at_once(tmp_path: Path) -> None:
    """When the reader may confirm it, it is ready for the agent; earlier events are not sorted again."""
    async with way(tmp_path) as one:
        await one.reader.put([event(1, "one"), event(2, "two")])
        await one.reader.put([event(2, "two"), event(3, "three")])
        assert [entry.content for entry in one.inbox.ready(9)] == ["one", "two", "three"]
        assert not await one.take()


async def test_what_cannot_be_sorted_is_journalled(tmp_path: Path) -> None:
    """The platform may forget it then; it is sorted as soon as that can be done."""
    async with way(tmp_path) as one:
        with one.store.transaction() as db:
            db.execute("ALTER TABLE chats RENAME TO elsewhere")
        await one.reader.put([event(1, "one")])
        assert [raw.event_id for _, raw in one.inbox.unsorted(9)] == ["1"]
        with pytest.raises(StoreError, match="it is damaged"):
            await one.take()
        with anyio.fail_after(5):
            # Whoever sorts was told that there is something.
            await one.wakeups.unsorted.wait()
        with one.store.transaction() as db:
            db.execute("ALTER TABLE elsewhere RENAME TO chats")
        assert await one.take()
        assert [entry.content for entry in one.inbox.ready(9)] == ["one"]


async def test_more_than_a_batch_is_sorted_at_once(tmp_path: Path) -> None:
    """What one transaction leaves over is sorted right after it, without waiting for the next event."""
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        group.start_soon(one.pipeline.run)
        await anyio.wait_all_tasks_blocked()
        await one.reader.put([event(number, str(number)) for number in range(1, 2 * BATCH_MAX + 6)])
        await anyio.wait_all_tasks_blocked()
        assert one.inbox.unsorted(9) == []
        group.cancel_scope.cancel()


async def test_nothing_is_said_of_what_was_undone(tmp_path: Path) -> None:
    """A stranger's code is not sent when the transaction that holds it failed; it is sent once when it did not."""
    stranger = {"id": 99, "is_bot": False, "first_name": "Eve"}
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        with one.store.transaction() as db:
            # Of the second message's sorting nothing can be written, after the first one's was.
            db.execute("ALTER TABLE history RENAME TO elsewhere")
        batch = [event(1, "hello", stranger), event(2, "said")]
        with pytest.raises(StoreError, match="it is damaged"):
            await one.take(batch)
        assert one.inbox.unsorted(9) == []
        assert one.store.value("SELECT count(*) FROM pairings") == 0
        with one.store.transaction() as db:
            db.execute("ALTER TABLE elsewhere RENAME TO history")
        group.start_soon(one.pipeline.run)
        assert await one.take(batch)
        await anyio.wait_all_tasks_blocked()
        code, receipt = one.follow_ups
        assert code is not receipt
        assert one.store.value("SELECT count(*) FROM pairings") == 1
        assert Services.of(one.store).access.member(CHAT) is not None
        group.cancel_scope.cancel()


async def test_one_that_cannot_be_processed_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody foresaw it: it is kept for a later version, and what came before and after it is ready all the same."""
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        to_inbound = one.adapter.to_inbound

        def failing(raw: RawEvent) -> Any:
            if raw.event_id == "2":
                raise LookupError("nobody foresaw it")
            return to_inbound(raw)

        monkeypatch.setattr(one.adapter, "to_inbound", failing)
        group.start_soon(one.pipeline.run)
        await anyio.wait_all_tasks_blocked()
        await one.reader.put([event(number, str(number)) for number in (1, 2, 3)])
        await anyio.wait_all_tasks_blocked()
        await one.reader.put([event(4, "4")])
        assert [entry.content for entry in one.inbox.ready(9)] == ["1", "3", "4"]
        failed = one.store.rows("SELECT event_id, payload != '' AS kept FROM inbox WHERE state = 'failed'")
        assert [tuple(row) for row in failed] == [("2", True)]
        group.cancel_scope.cancel()
