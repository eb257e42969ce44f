"""The tables of keepers and starts, on both engines."""

from __future__ import annotations

from agent_channels.core.hub.starts import EXPIRES_S, StartRequest
from hubs import Hub

API, WEB = "apiapiap", "webwebwe"


async def test_a_keeper_counts_while_it_is_heard_of(made_hub: Hub) -> None:
    """Of one bot alone; its latest word counts; one that leaves, or falls silent, starts nothing."""
    async with made_hub.open() as hub, made_hub.open(bot="mychat:2") as other:
        await hub.keepers.beat("desk", "laptop", 7, {API, WEB})
        await hub.keepers.beat("cellar", "server", 8, set())
        await hub.keepers.beat("desk", "laptop", 9, {API})
        found = await hub.keepers.running()
        assert [(one.machine, one.pid, one.projects) for one in found] == [
            ("laptop", 9, frozenset({API})),
            ("server", 8, frozenset()),
        ]
        assert await hub.keepers.startable() == {API}
        assert await other.keepers.running() == []
        made_hub.execute("UPDATE keepers SET seen_at = seen_at - 60 WHERE keeper = 'desk'")
        assert await hub.keepers.startable() == set()
        await hub.keepers.leave("cellar")
        assert await hub.keepers.running() == []


async def test_a_start_is_asked_for_and_taken_once(made_hub: Hub) -> None:
    """However many ask; the keeper of its machine takes it, and after its end it can be asked for again."""
    first, second = StartRequest(API, "7", "70", "5"), StartRequest(API, "8", "80", "")
    async with made_hub.open() as hub, made_hub.open(bot="mychat:2") as other:
        assert await hub.starts.ask(first)
        assert not await hub.starts.ask(second)
        assert await other.starts.take([API]) == []
        assert await hub.starts.take([WEB]) == []
        assert await hub.starts.take([]) == []
        assert await hub.starts.take([WEB, API]) == [first]
        assert await hub.starts.take([API]) == []
        assert not await hub.starts.ask(second)
        await hub.starts.end(API)
        assert await hub.starts.ask(second)
        assert await hub.starts.take([API]) == [second]


async def test_what_nobody_did_expires(made_hub: Hub) -> None:
    """It is never taken late, and handed out once to whoever tells it."""
    asked, begun = StartRequest(API, "7", "70", ""), StartRequest(WEB, "7", "70", "")
    async with made_hub.open() as hub:
        await hub.starts.ask(begun)
        await hub.starts.take([WEB])
        await hub.starts.ask(asked)
        assert await hub.starts.expired() == []
        made_hub.execute(f"UPDATE starts SET asked_at = asked_at - {EXPIRES_S + 1}")
        assert await hub.starts.take([API]) == []
        assert sorted(await hub.starts.expired(), key=lambda one: one.project) == [asked, begun]
        assert await hub.starts.expired() == []
