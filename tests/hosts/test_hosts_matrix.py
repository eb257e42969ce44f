"""The journey of the conformance matrix: with the SDK's own client each time, with real hosts in the long run."""

from __future__ import annotations

import asyncio
import re

import pytest

from agent_channels.core.host.agents.registry import host_of_client
from agents import ClientAgent
from harness import Stage
from host_journey import Journey, heard
from hosts_table import ABILITIES, merged, proof, read_measured
from players import PLAYERS, Seat

# Whether set-up's files are enough without a word at the host's terminal.
OWN = {"copilot": True, "cline": True, "continue": True, "kimi": False}


@pytest.fixture
def seat(stage: Stage) -> Seat:
    """A project whose bot is read for whom asks."""
    for name in ("CHANNELS_CLAIM", "CLAUDE_CODE_SESSION_ID"):
        del stage.env[name]
    return Seat(stage)


def journey_of(name: str, seat: Seat, *, set_up: bool = False) -> Journey:
    """The journey of a host; `set_up`: with the files that `channels setup --host` writes, and no others of ours."""
    stage = seat.world
    assert isinstance(stage, Stage)
    return Journey(lambda: PLAYERS[name].start(seat, {} if set_up else seat.server()), stage.person())


async def test_the_sdks_client_plays_the_journey(seat: Seat) -> None:
    """All tools, a message and its tap, 24 empty waits, a burst seen whole, and the tap after the client was killed."""
    journey = journey_of("sdk", seat)
    steps = (journey.connects, journey.talks, journey.reads_all, journey.tap_after_exit)
    assert await journey.play(*steps) == {step.__name__: "" for step in steps}
    assert heard(seat.tap)["client"] == "mcp"


async def test_a_tap_after_a_cancelled_call_is_in_the_next(seat: Seat) -> None:
    """The client cancels `ask`; what is tapped then is told by the next call."""
    journey = journey_of("sdk", seat)
    try:
        agent = await journey.agent()
        assert isinstance(agent, ClientAgent)
        arguments = {"chat_id": str(journey.ann.id), "text": "Up or down?", "buttons": [["Up", "Down"]]}
        asking = asyncio.create_task(agent.call("ask", **arguments))
        grid = await journey.ann.next_message()
        assert await agent.interrupt()
        assert await asking == "cancelled"
        journey.ann.tap(grid["message_id"], label="Down")
        await journey.read("Down")
    finally:
        await journey.leave()


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize("name", OWN)
async def test_a_host_plays_the_journey(seat: Seat, name: str) -> None:
    """The real program, set up by us: all tools, a message and its tap, `ask`, and the tap after it was killed."""
    journey = journey_of(name, seat, set_up=OWN[name])
    steps = (journey.connects, journey.talks, journey.tap_after_exit)
    found = await journey.play(*steps)
    said = seat.log.read_text(errors="replace")[-2000:]
    assert found == {step.__name__: "" for step in steps}, said
    known = host_of_client(heard(seat.tap)["client"])
    assert known is not None
    assert known.name == name


def test_what_was_measured_is_what_hosts_are_known_by() -> None:
    """Every host of the matrix is found by the name that it gave itself there."""
    rows = [row for row in read_measured() if row["kind"] == "host" and "client" in row and row["name"] != "claude"]
    found = {row["name"]: host_of_client(row["client"]) for row in rows}
    assert found
    assert [name for name, host in found.items() if host is None or host.name != name] == []


def test_a_step_played_alone_leaves_the_dates_of_the_others() -> None:
    """What a run did not try keeps its result and its day; a new version of the host begins with nothing."""
    old, new = {"good": True, "date": "2026-01-01"}, {"good": True, "date": "2026-02-02"}
    heard_then = {"probes_first": True, "cancels": True, "ask_took_s": 45.0}
    heard_now = {"probes_first": False, "cancels": False, "ask_took_s": None, "limits": {}}
    before = {"version": "1", **heard_then, "cells": {"talks": old, "waits": old}, "limits": {"result": 9}}
    now = {"version": "1", **heard_now, "cells": {"waits": new}}
    expected = {"version": "1", **heard_then, "cells": {"talks": old, "waits": new}, "limits": {"result": 9}}
    assert merged(before, now) == expected
    assert merged(before, {**now, "version": "2"}) == {**now, "version": "2"}


def test_an_ability_is_proven_by_its_hosts_test() -> None:
    """The tables mark an ability as played if the host's own test exists; that test names each of them."""
    from agent_channels.core.host.agents.registry import AGENT_HOSTS

    for host in AGENT_HOSTS.values():
        declared = [name for name in ABILITIES if getattr(host, name)]
        if declared and proof(host).exists():
            text = proof(host).read_text(encoding="utf-8").lower()
            words = {"wake": "wake|woken|idle", "hand_over": "hand", "permission": "permission", "stop": "stop"}
            assert [name for name in declared if not re.search(words[name], text)] == [], host.name
