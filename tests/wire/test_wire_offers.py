"""What is sorted is written down as offered with it, and reaches the host once and in order, or later, and says so."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import StoreError
from agent_channels.core.inbound.follow_ups import WAITING_MAX
from updates import ANN, message, update
from ways import SESSION, way


class Shown:
    """What the host was shown; `blocked`: it does not read."""

    def __init__(self) -> None:
        self.params: list[dict[str, Any]] = []
        self.blocked: anyio.Event | None = None

    async def push(self, _method: str, params: dict[str, Any]) -> None:
        self.params.append(params)
        if self.blocked:
            await self.blocked.wait()

    @property
    def texts(self) -> list[str]:
        return [f"{p['content']}{' again' * ('redelivered' in p['meta'])}" for p in self.params]


def event(number: int, sender: dict[str, Any] = ANN, **more: Any) -> RawEvent:
    values = {"text": str(number), "chat": {**sender, "type": "private"}, "from": sender, **more}
    said = message(message_id=number, **{name: value for name, value in values.items() if value is not None})
    return RawEvent(str(number), update("message", said))


async def test_one_transaction_before_the_host_sees_it(tmp_path: Path) -> None:
    """Journalled, sorted and offered together: a commit more would be a good part of a message's whole way."""
    shown = Shown()
    begun: list[str] = []
    at_push: list[tuple[str, int]] = []
    async with way(tmp_path) as one, anyio.create_task_group() as group:

        async def push(method: str, params: dict[str, object]) -> None:
            at_push.extend((row["state"], len(begun)) for row in one.store.rows("SELECT state FROM inbox"))
            await shown.push(method, params)

        one.deliver_to(push, group)
        await anyio.wait_all_tasks_blocked()
        one.store._db.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
        assert await one.take([event(1)])
        assert at_push == [("offering", 1)]
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == ["1"]
        assert [row["state"] for row in one.store.rows("SELECT state FROM inbox")] == ["offered"]
        group.cancel_scope.cancel()


async def test_what_was_undone_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction failed after it was written down as offered: journalled alone, it is shown once, as new."""
    shown = Shown()
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        one.deliver_to(shown.push, group)
        await anyio.wait_all_tasks_blocked()

        def failing() -> list[Any]:
            assert [entry.content for entry in claim()] == ["1"]
            raise StoreError("the disk is full")

        claim = one.delivery.claim
        with monkeypatch.context() as patched:
            patched.setattr(one.delivery, "claim", failing)
            await one.reader.put([event(1)])
            await anyio.wait_all_tasks_blocked()
        assert shown.texts == []
        assert [raw.event_id for _, raw in one.inbox.unsorted(9)] == ["1"]
        assert await one.take()
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == ["1"]
        group.cancel_scope.cancel()


async def test_while_the_host_does_not_read_nothing_more_is_offered(tmp_path: Path) -> None:
    """What comes meanwhile stays ready, for whoever asks for it; then it goes in order, each once."""
    shown = Shown()
    shown.blocked = anyio.Event()
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        one.deliver_to(shown.push, group)
        await anyio.wait_all_tasks_blocked()
        for number in range(1, 5):
            await one.reader.put([event(number)])
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == ["1"]
        assert [entry.content for entry in one.inbox.ready(9)] == ["2", "3", "4"]
        shown.blocked.set()
        shown.blocked = None
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == ["1", "2", "3", "4"]
        group.cancel_scope.cancel()


async def test_a_backlog_that_comes_at_once_goes_in_order(tmp_path: Path) -> None:
    """More than are offered at a time, in batches that follow each other before the host has seen the first."""
    shown = Shown()
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        one.deliver_to(shown.push, group)
        await anyio.wait_all_tasks_blocked()
        for first in (1, 81, 161):
            assert await one.take([event(first + n) for n in range(80)])
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == [str(number) for number in range(1, 241)]
        group.cancel_scope.cancel()


async def test_a_death_in_between_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written down and the process ended before the host saw it: the next session is told that it may have."""
    shown = Shown()
    async with way(tmp_path) as one:
        async with anyio.create_task_group() as group:
            one.deliver_to(shown.push, group)
            await anyio.wait_all_tasks_blocked()
            monkeypatch.setattr(one.delivery, "hand_over", lambda _claimed: None)
            assert await one.take([event(1)])
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        assert shown.texts == []
        async with anyio.create_task_group() as group:
            one.deliver_to(shown.push, group)
            await anyio.wait_all_tasks_blocked()
            assert shown.texts == ["1 again"]
            group.cancel_scope.cancel()


@pytest.mark.parametrize("whose", ["an agent that asks", "a hook that waits", "pull by hand"])
async def test_what_others_take_is_left_to_them(tmp_path: Path, whose: str) -> None:
    """It stays ready for whoever fetches it in this session."""
    shown = Shown()
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        one.deliver_to(shown.push, group, mode="pull" if whose == "pull by hand" else "auto")
        await anyio.wait_all_tasks_blocked()
        if whose == "an agent that asks":
            one.delivery.waiting_calls += 1
        elif whose == "a hook that waits":
            one.services.sessions.record(SESSION)
            one.services.sessions.set_waiting(SESSION, time.time() + 60)
            one.modes.refresh()
        assert await one.take([event(1)])
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == []
        assert [entry.content for entry in one.inbox.ready(9)] == ["1"]
        group.cancel_scope.cancel()


async def test_what_a_hook_did_not_take_is_pushed(tmp_path: Path) -> None:
    """The hook it was left to was killed: nothing else happens, and it is pushed all the same."""
    shown, pushed = Shown(), anyio.Event()
    async with way(tmp_path) as one, anyio.create_task_group() as group:

        async def push(method: str, params: dict[str, object]) -> None:
            await shown.push(method, params)
            pushed.set()

        one.deliver_to(push, group)
        one.services.sessions.record(SESSION)
        one.services.sessions.set_waiting(SESSION, time.time() + 60)
        one.modes.refresh()
        await anyio.wait_all_tasks_blocked()
        assert await one.take([event(1)])
        await anyio.wait_all_tasks_blocked()
        assert shown.texts == []
        one.services.sessions.set_waiting(SESSION, 0.0)
        one.modes.refresh()
        group.start_soon(one.delivery.escalate)
        with anyio.fail_after(10):
            await pushed.wait()
        assert shown.texts == ["1"]
        group.cancel_scope.cancel()


async def test_pictures_do_not_wait_for_what_is_to_be_said(tmp_path: Path) -> None:
    """Their download begins though the platform takes nothing that is to be said at the moment."""
    stranger = {"id": 99, "is_bot": False, "first_name": "Eve"}
    async with way(tmp_path) as one, anyio.create_task_group() as group:
        for _ in range(WAITING_MAX):
            one.pipeline.follow_ups.add(nothing)
        group.start_soon(one.pipeline.run)
        await anyio.wait_all_tasks_blocked()
        # Somebody has to be told a code, and somebody else sent a picture.
        photo = {"photo": [{"file_id": "p", "file_unique_id": "u", "width": 1, "height": 1}], "text": None}
        assert await one.take([event(1, stranger), event(2, **photo)])
        with anyio.fail_after(5):
            await one.wakeups.download_due.wait()
        group.cancel_scope.cancel()


async def nothing() -> None:
    """A call to the platform."""
