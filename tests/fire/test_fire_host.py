"""A host that is slow, silent or gone: reading goes on, memory stays flat, and the next host gets what is left."""

from __future__ import annotations

import itertools

import pytest

from agent_channels.core.store.database import Store
from faults_harness import Account, Note, inbox_states, resident_mb
from harness import Stage

GROWTH_MB = 20.0


def stored(stage: Stage) -> int:
    """How many updates are in the journal."""
    with Store.open(stage.state) as store:
        return int(store.value("SELECT count(*) FROM inbox"))


async def test_a_host_that_does_not_read_holds_nothing_up_and_loses_nothing(stage: Stage) -> None:
    """Reading goes on journalling while pushes wait; nothing is confirmed unstored; the next host gets the rest."""
    ann = stage.person()
    book = Account()
    host = await stage.reading()
    book.hosts.append(host)
    host.stop_reading()
    first = book.say(ann, "first")
    for number in range(1_500):
        book.say(ann, f"{number} " + "x" * 400)

    def confirmed_only_what_is_stored() -> bool:
        confirmed = len(book.sent) - stage.tg.pending_updates
        assert confirmed <= stored(stage)
        return confirmed == len(book.sent)

    await stage.tg.wait_for(confirmed_only_what_is_stored, 30)
    states = inbox_states(stage.state)
    assert sum(states.values()) == len(book.sent)
    # A pipe's worth was offered, a bounded number is on its way, the rest has not been touched.
    assert states["offered"] + states["offering"] < 500
    assert states["ready"] > 1_000
    assert (await stage.cli("status", "telegram", "--json")).json["inbox"]["open"] == len(book.sent)

    host.close_stdin()
    assert await host.wait(5) == 0
    host._pipe(1).resume_reading()
    await host.drained()
    second = await stage.host()
    book.hosts.append(second)
    rest = await second.take(len(book.sent), 30)
    # Whatever the first was offered and did not answer comes again, marked, and all of it in order.
    assert [event.content for event in rest] == book.sent
    book.check()
    assert host.events == [] or host.events[0].content == first


@pytest.mark.cold
@pytest.mark.timeout(400)
@pytest.mark.parametrize("many", [3_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_memory_stays_flat_while_a_host_reads_slowly(stage: Stage, note: Note, many: int) -> None:
    """Thousands of queued updates and a slow host: resident memory grows by less than 20 MB, all arrive in order."""
    ann = stage.person()
    book = Account()
    host = await stage.reading()
    book.hosts.append(host)
    book.say(ann, "warm")
    await host.take(1)
    await host.done("reply", chat_id=ann.id, text="up")
    before = resident_mb(host)
    seen = [before]
    host.stop_reading()
    for number in range(many):
        book.say(ann, f"message {number}")
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, 60)
    seen.append(resident_mb(host))
    # Slowly: between two gulps the host does something else, here another program from its start to its end.
    for upto in itertools.chain(range(500, 3_000, 500), [many]):
        host._pipe(1).resume_reading()
        await host.until(lambda upto=upto: len(host.events) > upto, 60, f"{upto} events")
        if upto != many:
            host.stop_reading()
            assert (await stage.cli("status", "telegram", "--json")).code == 0
        seen.append(resident_mb(host))
    growth = max(seen) - before
    note(
        f"{many:,} queued updates, slow host", f"resident {before:.1f} MB, at most {max(seen):.1f} MB: +{growth:.1f} MB"
    )
    assert growth < GROWTH_MB
    assert [event.content for event in host.events] == book.sent
    book.check()
    assert book.duplicates() == []


async def test_a_host_that_comes_back_gets_the_rest_in_the_same_session(stage: Stage) -> None:
    """A host that pauses and reads on gets everything once, in order, and its answer answers all of it."""
    ann = stage.person()
    book = Account()
    host = await stage.reading()
    book.hosts.append(host)
    host.stop_reading()
    for number in range(700):
        book.say(ann, f"{number} " + "y" * 300)
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, 30)
    host._pipe(1).resume_reading()
    await host.take(len(book.sent), 20)
    assert [event.content for event in host.events] == book.sent
    await host.done("reply", chat_id=ann.id, text="read all of it")
    assert inbox_states(stage.state) == {"answered": len(book.sent)}
    assert book.duplicates() == []


async def test_a_server_killed_while_its_host_is_silent_loses_nothing(stage: Stage) -> None:
    """SIGKILL of a server whose host does not read: what was in the pipe and what was not, all of it comes."""
    ann = stage.person()
    book = Account()
    host = await stage.reading()
    book.hosts.append(host)
    host.stop_reading()
    for number in range(400):
        book.say(ann, f"{number} " + "z" * 500)
    await stage.tg.wait_for(lambda: stage.tg.pending_updates < 200, 30)
    host.signal(9)
    host._pipe(1).resume_reading()
    await host.drained()
    second = await stage.host()
    book.hosts.append(second)
    await second.until(lambda: {e.content for e in second.events} == set(book.sent), 20, "all of it")
    assert [event.content for event in second.events] == book.sent
    book.check()
