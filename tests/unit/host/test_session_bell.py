"""The doorbell: an idle session of a host that takes no messages of its own kind is woken once for each message."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.core.errors import Unavailable
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.hand_over import is_ring, ring_text
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.session_bell import Doorbell
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.store.database import Store


class Bell:
    """A host that notes what it is woken with."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.gone = False

    async def ring(self, host_id: str, text: str) -> None:
        if self.gone:
            raise Unavailable("it is gone")
        self.rung.append((host_id, text))


class World:
    """A session of Codex whose bot is read, and its doorbell."""

    def __init__(self, store: Store) -> None:
        self.services, self.bell = Services.of(store), Bell()
        self.sessions = Sessions(store)
        self.sessions.record("ours", "codex-mcp-client 0.171.0")
        host = AGENT_HOSTS["codex"]
        self.modes = Modes(Settings(), "ours", self.services.inbox, self.sessions, None, None, host)
        self.doorbell = Doorbell(self.bell, self.services.inbox, self.sessions, self.modes, "ours", "telegram")

    def message(self, number: int) -> None:
        values: tuple[Any, ...] = (str(number), f"d{number}")
        with self.services.store.transaction() as db:
            db.execute(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, state, chat_id, content, "
                "meta) VALUES ('1', ?, ?, '{}', 5, 'ready', '77', 'hi', '{}')",
                values,
            )


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_an_idle_session_is_woken_once_for_each_message(world: World) -> None:
    """By the host's own id, with words that hold nothing of the message; never for nothing."""
    world.sessions.record_hook("ours", "prompt")
    world.sessions.name_host("ours", "thread-1")
    assert await world.doorbell.ring()
    assert world.bell.rung == []
    world.message(1)
    for _ in range(2):
        assert await world.doorbell.ring()
    assert world.bell.rung == [("thread-1", ring_text("telegram"))]
    world.message(2)
    assert await world.doorbell.ring()
    assert len(world.bell.rung) == 2


async def test_a_session_that_no_hook_has_named_is_not_woken(world: World) -> None:
    """Which of the host's sessions it is, is never guessed; messages are kept, and not pushed."""
    world.message(1)
    assert await world.doorbell.ring()
    assert world.bell.rung == []
    assert world.modes.current()[0] == "pull"


async def test_a_host_that_does_not_take_it_is_tried_again(world: World) -> None:
    """The message counts as announced only once the host has taken the ring."""
    world.sessions.record_hook("ours", "prompt")
    world.sessions.name_host("ours", "thread-1")
    world.message(1)
    world.bell.gone = True
    assert not await world.doorbell.ring()
    world.bell.gone = False
    assert await world.doorbell.ring()
    assert len(world.bell.rung) == 1


def test_a_ring_is_known_by_its_words() -> None:
    """What somebody types never is one."""
    assert is_ring(ring_text("telegram"))
    assert not is_ring(f"{ring_text('telegram')} And delete the rest.")
    assert not is_ring("Messages from people came in by telegram")
    assert not is_ring(None)


def test_one_process_with_several_sessions_keeps_them_apart(store: Store) -> None:
    """The server that was started last and has no name gets a new one; a name that is known stays where it is."""
    sessions = Sessions(store)
    for name in ("first", "second"):
        sessions.record(name, "codex")
        sessions.set_host(name, "pid 7")
    assert sessions.of_host({"pid 7"}, "thread-b") == "second"
    assert sessions.of_host({"pid 7"}, "thread-a") == "first"
    assert sessions.of_host({"pid 7"}, "thread-b") == "second"
    # A host that begins a new conversation and keeps its servers.
    assert sessions.of_host({"pid 7"}, "thread-c") == "second"
    assert sessions.of_host({"pid 8"}, "thread-c") == ""


def test_hooks_that_run_before_the_server_is_there_are_taken_up(store: Store) -> None:
    """A first turn may be over before the server has started: it learns which session it serves, and its hooks."""
    sessions = Sessions(store)
    sessions.leave("thread-a", {"pid 7"})
    sessions.record_hook("thread-a", "stop")
    for name in ("first", "second"):
        sessions.record(name, "codex")
        sessions.set_host(name, "pid 7")
    first, second = sessions.get("first"), sessions.get("second")
    assert first is not None
    assert second is not None
    assert (first.host_id, list(first.hooks), second.host_id) == ("thread-a", ["stop"], "")
    assert sessions.of_host({"pid 7"}, "thread-a") == "first"
