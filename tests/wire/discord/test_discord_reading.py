"""Discord keeps no queue: missed messages are replayed or fetched, in order, once, and logins are not wasted."""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from harness import DiscordStage, Event


def texts(events: list[Event]) -> list[str]:
    return [event.content for event in events]


async def test_twenty_rounds_of_kills_lose_nothing(stage: DiscordStage) -> None:
    """SIGKILL, messages while down, the session forgotten in every second round: all there, in order, once."""
    ann, bob = stage.person("ann"), stage.person("bob")
    team = stage.dc.guild("Team", members=[ann, bob])
    room = team.channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    sent: list[str] = []

    def say(text: str, number: int) -> None:
        (ann, bob)[number % 2].send(text, channel=room if number % 3 == 0 else None)
        sent.append(text)

    shown: list[Event] = []
    host = await stage.reading()
    for number in range(20):
        say(f"{number} while up", number)
        await host.until(lambda: f"{number} while up" in texts(host.events))  # noqa: B023
        say(f"{number} about to be killed", number)
        await host.kill()
        for more in range(3):
            say(f"{number}.{more} while down", number + more)
        if number % 2:
            stage.dc.faults.forget_sessions()
        shown += host.events
        host = await stage.reading()
        last = f"{number}.2 while down"
        await host.until(lambda: last in texts(host.events), what=last)  # noqa: B023
        await host.done("reply", chat_id=str(ann.dm.id), text="seen")
        await host.done("reply", chat_id=str(bob.dm.id), text="seen")
        await host.done("reply", chat_id=str(room.id), text="seen")
    shown += host.events
    fresh = [event for event in shown if event.meta.get("redelivered") != "true"]
    assert texts(fresh) == sent
    repeated = Counter(event.meta["delivery_id"] for event in shown)
    marked = {event.meta["delivery_id"] for event in shown if event.meta.get("redelivered") == "true"}
    assert {delivery for delivery, count in repeated.items() if count > 1} <= marked
    # Ten forgotten sessions and the first one: no login more than that.
    assert len(stage.dc.identifies) == 11


async def test_the_gap_after_an_invalid_session_is_fetched(stage: DiscordStage) -> None:
    """INVALID_SESSION: messages between the cut and READY come from the channels' history, oldest first, once."""
    ann = stage.person("ann")
    team = stage.dc.guild("Team", members=[ann])
    room, forum = team.channel("general"), team.forum("help")
    thread = room.thread("plan", by=ann)
    for place in (room, forum):
        assert (await stage.access("group", "add", str(place.id), "--no-mention")).code == 0
    host = await stage.reading()
    ann.send("before")
    await host.take(1)
    stage.dc.hold_events()
    sent = [f"gap {number}" for number in range(150)]
    for number, text in enumerate(sent):
        ann.send(text, channel=(None, room, thread)[number % 3])
    post = forum.post("A question", "posted in the gap", by=ann)
    ann.send("and more", channel=post)
    stage.dc.faults.invalidate_session()
    stage.dc.release()
    events = await host.take(152)
    assert texts(events) == [*sent, "posted in the gap", "and more"]
    assert len(stage.dc.identifies) == 2
    ann.send("after")
    assert texts(await host.take(1)) == ["after"]
    assert (events[-1].meta["thread_name"], events[-1].meta["parent_chat_id"]) == ("A question", str(forum.id))


async def test_a_cut_is_resumed_without_a_login(stage: DiscordStage) -> None:
    """A cut wire, op 7, a resumable invalid session, codes 4000 and 1001: RESUME replays, no IDENTIFY is spent."""
    ann = stage.person("ann")
    host = await stage.reading()
    faults = stage.dc.faults
    cuts: list[Any] = [
        faults.drop_gateway,
        faults.reconnect_gateway,
        lambda: faults.invalidate_session(resumable=True),
        lambda: faults.close_gateway(4000),
        lambda: faults.close_gateway(1001),
    ]
    for number, cut in enumerate(cuts):
        stage.dc.hold_events()
        ann.send(f"in the cut {number}")
        cut()
        stage.dc.release()
        await stage.dc.wait_for(lambda: len(stage.dc.resumes) == number + 1, 20)  # noqa: B023
        assert texts(await host.take(1)) == [f"in the cut {number}"]
    assert len(stage.dc.identifies) == 1
    assert len(host.events) == len(cuts)


async def test_two_servers_have_one_reader(stage: DiscordStage, tmp_path: Path) -> None:
    """One token, two projects: one connection, nothing twice; killed, the other takes over within 3 s by one login."""
    ann = stage.person("ann")
    other, state = tmp_path / "other", tmp_path / "other-state"
    other.mkdir(mode=0o700)
    make_state_folder(state)
    (state / "config.yaml").write_text(yaml.safe_dump({"grace_s": 0}), encoding="utf-8")
    with Store.open(state) as store:
        Services.of(store).access.allow(str(ann.id), by="test", name="ann")
    first = await stage.reading()
    second = await stage.host(CLAUDE_PROJECT_DIR=str(other), DISCORD_STATE_DIR=str(state))
    await second.status_when(lambda found: str(first.process.pid) in found["mode"]["why"])
    ann.send("one")
    assert texts(await first.take(1)) == ["one"]
    assert "sent" in await second.done("reply", chat_id=str(ann.id), text="a loser may send")
    assert (second.events, len(stage.dc.identifies)) == ([], 1)
    began = time.perf_counter()
    await first.kill()
    ann.send("two")
    assert texts(await second.take(1)) == ["two"]
    took = time.perf_counter() - began
    print(f"takeover {took:.2f} s")
    assert len(stage.dc.identifies) <= 2
    assert len(first.events) == 1


async def test_a_handover_on_the_same_state_needs_no_login(stage: DiscordStage) -> None:
    """Two servers on one state folder: the second resumes the first one's session, replayed to the event."""
    ann = stage.person("ann")
    first = await stage.reading()
    second = await stage.host()
    await second.status_when(lambda found: "reads this bot" in found["mode"]["why"])
    await first.kill()
    ann.send("between")
    assert texts(await second.take(1)) == ["between"]
    assert (len(stage.dc.identifies), len(stage.dc.resumes)) == (1, 1)


async def test_a_clean_exit_leaves_the_session_to_be_resumed(stage: DiscordStage) -> None:
    """Closed by the host, started again: messages sent meanwhile are replayed, with no further login."""
    ann = stage.person("ann")
    for away in ("while away", "and once more"):
        # The first one is closed while it still fetches what it missed.
        host = await stage.reading()
        await host.close()
        ann.send(away)
    host = await stage.reading()
    assert texts(await host.take(2)) == ["while away", "and once more"]
    assert len(stage.dc.identifies) == 1


async def test_a_switched_off_intent_is_named(stage: DiscordStage) -> None:
    """Message Content off: the status names the switch, no login is wasted; switched on, the bot is read."""
    stage.dc.set_portal(message_content=False)
    ann = stage.person("ann")
    host = await stage.host()
    status = await host.status_when(lambda found: "Message Content Intent" in json.dumps(found))
    assert "developer portal" in json.dumps(status)
    assert stage.dc.identifies == []
    stage.dc.set_portal(message_content=True)
    ann.send("hello")
    assert texts(await host.take(1, 30)) == ["hello"]


async def test_close_codes_are_named(stage: DiscordStage) -> None:
    """4014 and 4004 in the middle of a session: the status says which switch, and which command."""
    host = await stage.reading()
    stage.dc.faults.close_gateway(4014)
    stage.dc.set_portal(message_content=False)
    await host.status_when(lambda found: "Message Content Intent" in json.dumps(found))
    stage.dc.set_portal(message_content=True)
    await stage.dc.wait_for(lambda: stage.dc.connected, 30)
    stage.dc.reset_token()
    status = await host.status_when(lambda found: found["reader"].get("state") == "unauthorized")
    assert "channels setup discord" in json.dumps(status)


async def test_the_ration_of_logins_is_kept(stage: DiscordStage) -> None:
    """When Discord's logins for the day are used up, none is tried, the status says until when, the token lives."""
    stage.dc.set_identify_limit(total=4)
    host = await stage.host()
    status = await host.status_when(lambda found: "ration of connections" in json.dumps(found))
    assert status["reader"]["state"] == "rate limited"
    assert stage.dc.identifies == []


async def test_what_a_waiting_stranger_said_while_down_is_kept(stage: DiscordStage) -> None:
    """Messages that a person with a pending code writes while nobody is connected arrive after the approval."""
    ann = stage.dc.person("ann")
    host = await stage.reading()
    ann.send("hello")
    code = (await ann.next_message())["content"]
    await host.kill()
    stage.dc.faults.forget_sessions()
    ann.send("are you there?")
    host = await stage.reading()
    pending = (await stage.access("--json")).json
    assert pending, code
    assert (await stage.access("allow", str(ann.id))).code == 0
    assert texts(await host.take(2)) == ["hello", "are you there?"]


async def test_somebody_allowed_by_id_is_heard_from_then_on(stage: DiscordStage) -> None:
    """A person who was let in by id and first wrote while nobody was connected is found by the user id."""
    ann = stage.person("ann", met=False)
    ann.send("my first words")
    host = await stage.reading()
    assert texts(await host.take(1)) == ["my first words"]


async def test_a_fault_while_fetching_costs_no_login(stage: DiscordStage) -> None:
    """The history answers 500 and 429 first: it is asked again, on the same connection."""
    ann = stage.person("ann")
    ann.send("one")
    stage.dc.faults.add("error", method="GET /channels/*/messages", times=2)
    stage.dc.faults.add("flood", method="GET /channels/*/messages", times=1, retry_after=1)
    host = await stage.reading()
    assert texts(await host.take(1)) == ["one"]
    assert len(stage.dc.identifies) == 1


async def test_a_backlog_of_thousands_in_order(stage: DiscordStage) -> None:
    """3,000 messages in one channel while down: pages and pages of history, in order."""
    ann = stage.person("ann")
    room = stage.dc.guild("Team", members=[ann]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    sent = [f"message {number}" for number in range(3000)]
    for text in sent:
        ann.send(text, channel=room)
    host = await stage.reading()
    assert texts(await host.take(len(sent), 60)) == sent


async def test_a_session_that_timed_out_and_garbage_are_left_at_once(stage: DiscordStage) -> None:
    """Close code 4009, garbage in and between frames, an endless payload: what comes next is heard, all of it once."""
    ann = stage.person()
    host = await stage.reading()
    faults, pid = stage.dc.faults, host.process.pid
    packer = zlib.compressobj()
    # Half a megabyte that unpacks to 400.
    bomb = packer.compress(bytes(400 * 2**20)) + packer.flush(zlib.Z_SYNC_FLUSH)
    damage: list[Callable[[], None]] = [
        lambda: faults.close_gateway(4009),
        lambda: faults.garble_gateway(b"\x07garbage\x00\x00\xff\xff"),
        lambda: faults.garble_gateway(b"\xff" * 64, framed=False),
        lambda: faults.garble_gateway(b"\x82\x7f\x00\x00\x00\x00\x04\x00\x00\x00" + bytes(4096), framed=False),
        lambda: faults.garble_gateway(bomb),
        lambda: faults.close_gateway(4009),
    ]
    for number, strike in enumerate(damage):
        ann.send(f"before {number}")
        assert (await host.event()).content == f"before {number}"
        strike()
        await stage.dc.wait_for(lambda: not stage.dc.connected, 20)
        ann.send(f"after {number}")
        assert (await host.event()).content == f"after {number}"
        await stage.dc.wait_for(lambda: stage.dc.connected, 20)
    assert psutil.Process(pid).memory_info().rss < 200 * 2**20
    assert {event.meta.get("redelivered") for event in host.events} == {None}


async def test_malformed_events_stop_nothing(stage: DiscordStage) -> None:
    """Events without their fields, or with other ones, cost neither the connection nor what is said after them."""
    ann = stage.person()
    host = await stage.reading()
    (session,) = stage.dc.sessions
    wrong = {"id": {}, "channel_id": "../x", "author": "ann", "channels": [1], "roles": 1}
    for name in ("MESSAGE_CREATE", "GUILD_CREATE", "CHANNEL_UPDATE", "GUILD_ROLE_DELETE", "INTERACTION_CREATE", "NEW"):
        for data in (None, [1], "x", {}, wrong):
            session.dispatch(name, data)
    session.dispatch("INTERACTION_CREATE", {"id": "5", "token": "t", "type": 3, "user": "ann", "data": {"values": 5}})
    ann.send("after all of it")
    assert (await host.event()).content == "after all of it"
    assert (len(stage.dc.identifies), len(stage.dc.resumes)) == (1, 0)
    assert "Traceback" not in host.log()


async def test_a_gateway_that_wants_heartbeats_all_the_time_is_left(stage: DiscordStage) -> None:
    """No interval between them, or thousands of requests for one: the session is resumed over a new connection."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("before")
    assert (await host.event()).content == "before"
    # "Gateway Opcodes": 1 asks for a heartbeat, 10 says how often to send one.
    for number, (op, data, times) in enumerate([(10, {"heartbeat_interval": 0}, 1), (10, {}, 1), (1, None, 500)], 1):
        await stage.dc.wait_for(lambda: stage.dc.connected, 20)
        connection = stage.dc.sessions[0].connection
        assert connection is not None
        for _ in range(times):
            connection.push(op, data)
        ann.send(f"after {number}")
        assert (await host.event()).content == f"after {number}"
        await stage.dc.wait_for(lambda: len(stage.dc.resumes) == number, 20)  # noqa: B023
    assert len(stage.dc.identifies) == 1
