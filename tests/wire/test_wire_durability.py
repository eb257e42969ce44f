"""Nothing is lost: kills in the middle of a delivery, hosts that stop reading, long backlogs."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter

import pytest

from harness import Stage
from wire_host import PATIENCE_S, Event

RUNS = 15
COUNT = 100


def by_id(events: list[Event]) -> dict[str, Event]:
    """Events by the id of the message they carry, each of which a host sees at most once."""
    found = {event.meta["message_id"]: event for event in events}
    assert len(found) == len(events), Counter(event.meta["message_id"] for event in events).most_common(1)
    return found


@pytest.mark.parametrize("run", range(RUNS))
async def test_sigkill_in_the_middle_of_a_delivery_loses_nothing(stage: Stage, run: int) -> None:
    """SIGKILL while 100 updates are being delivered: none lost, repeats marked, what was answered never comes again."""
    people = [stage.person(handle) for handle in ("ann", "bob", "cem", "dee")]
    sent = [str(people[i % 4].send(f"{run}.{i}")["message_id"]) for i in range(COUNT)]
    first = await stage.start()
    first.narrow()
    await first.attach()
    await first.take(1 + run * (COUNT - 1) // (RUNS - 1))
    answered: set[str] = set()
    if run % 3:
        # What this host was shown from Ann before it answered her is done with.
        answered = {e.meta["message_id"] for e in first.events if e.meta["user"] == "ann"}
        await first.done("reply", chat_id=people[0].id, text="done")
    await first.kill()
    seen = by_id(first.events)

    second = await stage.host()
    people[3].send("the last one")
    await second.until(lambda: bool(second.events) and second.events[-1].content == "the last one")
    again = by_id(second.events[:-1])
    assert set(seen) | set(again) == set(sent)
    assert not answered & set(again)
    for message_id in set(seen) & set(again):
        assert again[message_id].meta["redelivered"] == "true"
        assert again[message_id].meta["delivery_id"] == seen[message_id].meta["delivery_id"]
        assert again[message_id].content == seen[message_id].content
    assert "redelivered" not in "".join(key for event in seen.values() for key in event.meta)
    for person in range(4):
        order = [number for message_id in again if (number := sent.index(message_id)) % 4 == person]
        assert order == sorted(order)


async def test_an_answer_survives_the_kill_that_follows_it(stage: Stage) -> None:
    """Every acting tool answers what was shown from the chat; a kill right after changes nothing of it."""
    ann, bob = stage.person("ann"), stage.person("bob")
    for number, tool in enumerate(("reply", "react", "edit_message")):
        said = ann.send(f"{tool}?")
        bob.send(f"open {number}")
        host = await stage.host()
        await host.take(2 + number)
        arguments = {
            "reply": {"text": "yes"},
            "react": {"message_id": said["message_id"], "emoji": "👌"},
            "edit_message": {"message_id": ann.inbox[-1]["message_id"] if ann.inbox else 0, "text": "better"},
        }[tool]
        await host.done(tool, chat_id=ann.id, **arguments)
        await host.kill()
    host = await stage.host()
    open_ = await host.take(3)
    assert [(e.content, e.meta["redelivered"]) for e in open_] == [(f"open {n}", "true") for n in range(3)]
    status = await host.status()
    assert status["inbox"]["answered"] == 3
    assert status["inbox"]["open"] == 3


async def test_the_host_stops_reading_and_dies(stage: Stage) -> None:
    """500 messages for a host that does not read any more and then dies: the next host gets all of them, in order."""
    ann = stage.person()
    first = await stage.reading()
    first.stop_reading()
    texts = [f"{number} {'x' * 600}" for number in range(500)]
    for text in texts:
        ann.send(text)
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)
    # The host dies: both pipes break at once, and what was in them is lost with it.
    first.drop_output()
    first.close_stdin()
    assert await first.wait() == 0

    second = await stage.host()
    events = await second.take(500, 30)
    assert [event.content for event in events] == texts


async def test_a_long_backlog_comes_in_order(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """3,000 messages that waited are delivered in order, each once, and all of them confirmed to the platform."""
    people = [stage.person(handle) for handle in ("ann", "bob", "cem")]
    texts = [f"{number}" for number in range(3000)]
    for number, text in enumerate(texts):
        people[number % 3].send(text)
    host = await stage.start()
    began = time.perf_counter()
    await host.attach()
    events = await host.take(3000, 60)
    with capsys.disabled():
        print(f"\n3,000 messages after {time.perf_counter() - began:.1f} s")
    assert [event.content for event in events] == texts
    assert not any("redelivered" in event.meta for event in events)
    assert len({event.meta["delivery_id"] for event in events}) == 3000
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)


async def test_a_slow_host_gets_everything(stage: Stage) -> None:
    """A host that stops reading for a while and then goes on gets all, in order and once."""
    ann = stage.person()
    host = await stage.reading()
    host.stop_reading()
    for number in range(300):
        ann.send(f"{number} {'x' * 600}")
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)
    host.go_on_reading()
    events = await host.take(300)
    assert [int(event.content.split()[0]) for event in events] == list(range(300))
    await host.done("reply", chat_id=ann.id, text="all read")
    assert (await host.status())["inbox"]["open"] == 0


async def test_nothing_is_confirmed_before_it_is_stored(stage: Stage) -> None:
    """While the journal takes no writes the platform keeps the updates; once it does again they come."""
    ann = stage.person()
    host = await stage.reading()
    confirmed = stage.tg.confirmed
    locked = sqlite3.connect(stage.state / "channel.db", isolation_level=None)
    try:
        locked.execute("BEGIN IMMEDIATE")
        ann.send("while locked")
        await stage.tg.wait_for(lambda: not stage.tg.polling, PATIENCE_S)
        assert stage.tg.confirmed == confirmed
        assert stage.tg.pending_updates == 1
        locked.execute("ROLLBACK")
    finally:
        locked.close()
    assert (await host.event()).content == "while locked"
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)


async def test_an_update_handed_out_twice_is_told_once(stage: Stage) -> None:
    """The platform hands an update out again after a cut: the journal knows it, the host sees it once."""
    ann = stage.person()
    host = await stage.reading()
    for kind in ("drop_after", "drop_body"):
        stage.tg.faults.add(kind, method="getUpdates", times=1)  # type: ignore[arg-type]
        ann.send(kind)
        assert (await host.event()).content == kind
    ann.send("last")
    assert (await host.event()).content == "last"


async def test_an_event_nobody_foresaw_stops_nothing(stage: Stage) -> None:
    """Updates of unknown kinds and broken shapes are passed over, the next message arrives, all are confirmed."""
    ann = stage.person()
    host = await stage.reading()
    updates = stage.tg.state.updates
    updates.allowed |= {"no_such_kind"}
    updates.add("no_such_kind", {"a": 1})
    updates.add("message", {"message_id": "x", "date": None, "chat": 5})
    updates.add("callback_query", {"id": "1", "from": ann.user.as_dict(), "chat_instance": "1"})
    ann.send("still here")
    assert (await host.event()).content == "still here"
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)
