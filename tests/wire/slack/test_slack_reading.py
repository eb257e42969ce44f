"""Slack keeps nothing for an app that is away: what it missed is fetched, in order, once."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest

from harness import Event, SlackStage


def texts(events: list[Event]) -> list[str]:
    return [event.content for event in events]


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_twenty_kills_lose_nothing(stage: SlackStage) -> None:
    """SIGKILL, messages while down in chats and threads, sockets that are replaced in bursts: all there, in order."""
    ann, bob = stage.person("ann"), stage.person("bob")
    room = stage.slack.channel("general", members=[ann, bob])
    assert (await stage.access("group", "add", room.id, "--no-mention")).code == 0
    thread = ann.send("a thread begins", channel=room)
    sent = ["a thread begins"]

    def say(text: str, number: int) -> None:
        where = (None, room, room)[number % 3]
        (ann, bob)[number % 2].send(text, channel=where, thread=thread if number % 3 == 2 else None)
        sent.append(text)

    shown: list[Event] = []
    host = await stage.reading()
    for number in range(20):
        say(f"{number} while up", number)
        await host.until(lambda: f"{number} while up" in texts(host.events))  # noqa: B023
        for more in range(4):
            say(f"{number}.{more} in a burst", number + more)
            if more == 1 and number % 2:
                stage.slack.faults.refresh_sockets()
        await host.kill()
        for more in range(3):
            say(f"{number}.{more} while down", number + more)
        shown += host.events
        host = await stage.reading()
        last = f"{number}.2 while down"
        await host.until(lambda: last in texts(host.events), what=last)  # noqa: B023
        for place in (ann.dm.id, bob.dm.id, room.id):
            await host.done("reply", chat_id=place, text="seen")
        await host.done("reply", chat_id=room.id, thread_id=thread["ts"], text="seen")
    shown += host.events
    fresh = [event for event in shown if event.meta.get("redelivered") != "true"]
    assert Counter(texts(fresh)) == Counter(sent)
    repeated = Counter(event.meta["delivery_id"] for event in shown)
    marked = {event.meta["delivery_id"] for event in shown if event.meta.get("redelivered") == "true"}
    assert {delivery for delivery, count in repeated.items() if count > 1} <= marked
    for number in range(20):
        down = [text for text in texts(fresh) if text.startswith(f"{number}.") and text.endswith("while down")]
        assert down == sorted(down)


async def test_a_gap_is_fetched_with_its_threads(stage: SlackStage) -> None:
    """Cut sockets: what was said meanwhile comes from the history, oldest first, also in a thread nobody had read."""
    ann = stage.person()
    room = stage.slack.channel("general", members=[ann])
    assert (await stage.access("group", "add", room.id, "--no-mention")).code == 0
    host = await stage.reading()
    begun = ann.send("before", channel=room)
    await host.take(1)
    stage.slack.hold_events()
    stage.slack.faults.drop_sockets()
    sent = [f"gap {number}" for number in range(60)]
    for number, text in enumerate(sent):
        ann.send(text, channel=(None, room, room)[number % 3], thread=begun if number % 3 == 2 else None)
    events = await host.take(60)
    assert texts(events) == sent
    assert {event.meta.get("thread_id") for event in events} == {None, begun["ts"]}
    # Sent to the next socket after all: they are known.
    stage.slack.release()
    ann.send("after")
    assert texts(await host.take(1)) == ["after"]


async def test_a_socket_is_replaced_in_the_middle_of_a_burst(stage: SlackStage) -> None:
    """refresh_requested: the next socket is there before the first one is gone, and nothing comes twice or never."""
    ann = stage.person()
    host = await stage.reading()
    opened: list[int] = []
    for number in range(40):
        ann.send(f"burst {number}")
        if number == 15:
            stage.slack.faults.refresh_sockets()
            await stage.slack.wait_for(lambda: len(stage.slack.socket.connections) > 1)
            opened.append(len(stage.slack.socket.connections))
    assert opened == [2]
    assert texts(await host.take(40)) == [f"burst {number}" for number in range(40)]
    await stage.slack.wait_for(lambda: len(stage.slack.socket.connections) == 1)
    ann.send("after")
    assert texts(await host.take(1)) == ["after"]
    # Not even while the old socket was still being read.
    assert len(host.events) == 41


async def test_a_slow_history_keeps_no_envelope_waiting(stage: SlackStage) -> None:
    """What arrives while missed messages are fetched is acknowledged within Slack's three seconds all the same."""
    ann = stage.person()
    stage.slack.faults.add("delay", method="conversations.history", seconds=6.0)
    host = await stage.reading()
    ann.send("now")
    assert texts(await host.take(1)) == ["now"]
    (envelope,) = stage.slack.socket.envelopes.values()
    await stage.slack.wait_for(lambda: envelope.acked_at)
    assert len(envelope.sent) == 1


async def test_another_program_on_the_same_app_is_told(stage: SlackStage) -> None:
    """Slack gives each event to one connection: the status and the doctor say that somebody else has one."""
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {stage.slack.app_token}"}
        async with session.post(f"{stage.slack.api}apps.connections.open", headers=headers) as answer:
            url = (await answer.json())["url"]
        async with session.ws_connect(url) as other:
            assert (await other.receive_json())["type"] == "hello"
            host = await stage.host()
            await stage.slack.wait_for(lambda: len(stage.slack.socket.connections) == 2)
            await host.status_when(lambda status: "2 connections of this Slack app" in str(status["reader"]["note"]))
            ran = await stage.cli("doctor", "slack", "--json")
            (found,) = [one for one in ran.json["channels"][0]["checks"] if one["check"] == "connections"]
            assert found["state"] == "wrong"
            assert "1 of them ours" in found["evidence"]
