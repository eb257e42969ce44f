"""The events of a hub: stored once, in order for each route, and never lost between the reader and its projects."""

from __future__ import annotations

import json
import re
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import LeaseLost
from agent_channels.core.hub.events import NOTHING_TO_TELL, UNDECIDED, ClaimedEvent, RoutedEvent
from agent_channels.core.hub.lease import Lease, steady_s
from agent_channels.core.hub.members import MemberGroup
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import RouteTarget
from agent_channels.core.hub.wakeups import HANDED_FOR_S, HANDED_MAX_BYTES, HubWakeups
from clock import Clock
from hubs import BOT, Hub, facts_of

WEB, API = "webwebwe", "apiapiap"


async def reading(hub: ProjectHub, domain: str = "machine") -> Lease:
    """The lease of whoever reads now."""
    lease = Lease(hub.db, BOT, domain, 3600.0, Clock())
    assert await lease.take({})
    return lease


def event(number: int, project: str | None = WEB, route: str = "chat/") -> RoutedEvent:
    """An event for one project; None is for nobody."""
    raw = RawEvent(str(number), f'{{"n": {number}}}')
    chat, _, thread = route.partition("/")
    return RoutedEvent(raw, () if project is None else (project,), route, chat, thread, "7")


async def claim(hub: ProjectHub, project: str = WEB, domain: str = "machine", limit: int = 100) -> list[ClaimedEvent]:
    return await hub.events.claim(project, f"{domain}:1", domain, limit)


def numbers(claimed: Sequence[ClaimedEvent]) -> list[int]:
    return [int(one.event.event_id) for one in claimed]


async def test_what_is_put_is_claimed_in_order_and_done_once(made_hub: Hub) -> None:
    """The payload as it was; what is done does not come again."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        assert await hub.events.put([event(1), event(2), event(3)], {}, lease) == {WEB}
        claimed = await claim(hub)
        assert numbers(claimed) == [1, 2, 3]
        assert claimed[0].event.payload == '{"n": 1}'
        await hub.events.done(WEB, [one.event for one in claimed])
        assert await claim(hub) == []
        assert await hub.events.waiting() == {}


async def test_an_event_that_comes_again_stays_with_whom_it_is(made_hub: Hub) -> None:
    """Also when it would be decided otherwise now, and when it is done: no second project sees it."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1), event(2)], {}, lease)
        await hub.events.done(WEB, [one.event for one in (await claim(hub))[:1]])
        assert await hub.events.put([event(1, API), event(2, API), event(2, API)], {}, lease) == frozenset()
        assert await claim(hub, API) == []


async def test_only_what_somebody_said_counts_as_a_message_that_waits(made_hub: Hub) -> None:
    """Not the news that a topic was opened, nor a reaction, though the project gets them too."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1), event(2), replace(event(3, API), user_id="")], {}, lease)
        assert await hub.events.waiting_messages() == {WEB: 2}
        (_, reaction) = await hub.events.untold(WEB, 0.0)
        await hub.events.tell([reaction.id], NOTHING_TO_TELL)
        assert await hub.events.waiting_messages() == {WEB: 1}
        assert await hub.events.waiting() == {WEB: 2, API: 1}


def handed(hub: ProjectHub) -> list[int]:
    return [int(one.event_id) for one in hub.wakeups.handed_over()]


async def test_what_is_read_for_the_reader_s_own_project_is_handed_over_without_a_claim(made_hub: Hub) -> None:
    """Once, in order, beside what other projects get; the hub knows it as claimed, and then as done."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other:
        lease = await reading(hub)
        with hub.events.claiming("machine:1"):
            assert await hub.events.put([event(1), event(2, API), event(3)], {}, lease) == {WEB, API}
            assert handed(hub) == [1, 3]
            assert handed(hub) == []
            assert await claim(hub, domain="elsewhere") == []
            assert numbers(await claim(other, API)) == [2]
            await hub.events.done(WEB, [event(1).event, event(3).event])
            assert await hub.events.waiting() == {API: 1}
            assert await hub.events.put([event(1)], {}, lease) == frozenset()
            assert handed(hub) == []


async def test_nothing_overtakes_what_waits_for_the_reader_s_own_project(made_hub: Hub) -> None:
    """While something waits there, or was handed over and is not journalled, what comes after it waits too."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1)], {}, lease)
        with hub.events.claiming("machine:1"):
            await hub.events.put([event(2)], {}, lease)
            assert handed(hub) == []
            await hub.events.done(WEB, [one.event for one in await claim(hub)])
            await hub.events.put([event(3)], {}, lease)
            await hub.events.put([event(4)], {}, lease)
            assert handed(hub) == [3]
            assert numbers(await claim(hub)) == [3, 4]


async def test_what_was_handed_over_and_not_taken_is_claimed_again(made_hub: Hub) -> None:
    """The worker failed, or died, before it journalled: the next one of its machine gets it at once."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        with hub.events.claiming("machine:1"):
            await hub.events.put([event(1)], {}, lease)
        assert handed(hub) == []
        assert numbers(await claim(hub)) == [1]


@asynccontextmanager
async def listening(hub: ProjectHub) -> AsyncIterator[None]:
    """Hears what other processes of the machine send to the project of a hub, from now on."""
    async with anyio.create_task_group() as group:
        group.start_soon(hub.wakeups.run)
        while not HubWakeups(hub.address, BOT, "somebody").hears(hub.project):  # noqa: ASYNC110 - a socket appears
            await anyio.sleep(0.01)
        yield
        group.cancel_scope.cancel()


async def next_handed(hub: ProjectHub) -> list[int]:
    """What is handed over next, to whoever listens."""
    found: list[int] = []
    with anyio.fail_after(20):
        while not (found := handed(hub)):
            await hub.wakeups.own.wait()
    return found


async def test_another_process_of_the_machine_is_handed_its_events(made_hub: Hub) -> None:
    """Without a claim, in order, claimed for it alone; what comes before they are done is claimed after them."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other, listening(other):
        lease = await reading(hub)
        with other.events.claiming("machine:2"):
            assert await hub.events.put([event(1, API), event(2), event(3, API)], {}, lease) == {WEB, API}
            assert await next_handed(other) == [1, 3]
            assert await claim(hub, API, "elsewhere") == []
            await hub.events.put([event(4, API)], {}, lease)
            assert handed(other) == []
            assert await other.events.done(API, [event(1, API).event, event(3, API).event])
            assert numbers(await claim(other, API)) == [4]
            assert not await other.events.done(API, [event(4, API).event])


async def test_what_is_too_long_to_be_handed_over_is_claimed(made_hub: Hub) -> None:
    """The process is woken all the same."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other, listening(other):
        lease = await reading(hub)
        long = RoutedEvent(RawEvent("1", "x" * HANDED_MAX_BYTES), (API,))
        await hub.events.put([long], {}, lease)
        with anyio.fail_after(20):
            while not await other.wakeups.wait():
                pass
        assert handed(other) == []
        assert [len(one.event.payload) for one in await claim(other, API)] == [HANDED_MAX_BYTES]


async def test_only_what_its_own_hub_handed_over_a_moment_ago_counts(made_hub: Hub, runtime: Path) -> None:
    """What another hub claimed, what lay there while the process slept, and what is no message of ours only wakes."""
    async with made_hub.open(API) as hub, listening(hub):
        path = socket_in(runtime)
        events, here, now = [["1", "{}"]], str(hub.address), steady_s()
        good = {"hub": here, "at": now, "events": events}
        for bad in (
            good | {"hub": "postgresql://elsewhere/"},
            good | {"at": now - 2 * HANDED_FOR_S},
            good | {"at": now + 3600},
            good | {"at": None},
            good | {"events": [["1"]]},
            good | {"events": 5},
            {"hub": here},
            [],
        ):
            await send(path, json.dumps(bad).encode())
            with anyio.fail_after(20):
                await hub.wakeups.own.wait()
            assert handed(hub) == []
        for data in (b"{", b"\xff\xfe", b'{"hub":' + b"[" * 20_000):
            await send(path, data)
            with anyio.fail_after(20):
                await hub.wakeups.own.wait()
        await send(path, json.dumps(good).encode())
        assert await next_handed(hub) == [1]


def socket_in(runtime: Path) -> Path:
    """The only socket there."""
    (path,) = runtime.rglob("*.sock")
    return path


async def send(path: Path, data: bytes) -> None:
    """Sends a datagram, as any process of the user could."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        await anyio.to_thread.run_sync(sender.sendto, data, str(path))


async def moved(hub: ProjectHub) -> None:
    await hub.routes.set("person", "7", API, "7")


async def moved_away(hub: ProjectHub) -> None:
    await hub.routes.remove("chat", "c")


async def let_in(hub: ProjectHub) -> None:
    await hub.members.beat(facts_of(API, people=frozenset({"7"})))


async def shut_out(hub: ProjectHub) -> None:
    await hub.members.beat(facts_of(WEB, people=frozenset()))


async def joined(hub: ProjectHub) -> None:
    await hub.members.beat(facts_of("docsdocs"))


async def left(hub: ProjectHub) -> None:
    await hub.members.leave(API)


async def opened(hub: ProjectHub) -> None:
    await hub.members.beat(facts_of(API, groups={"-5": MemberGroup()}))


@pytest.mark.parametrize("change", [moved, moved_away, let_in, shut_out, joined, left, opened])
async def test_an_event_is_stored_by_what_was_known_only_while_it_is_so(
    made_hub: Hub, change: Callable[[ProjectHub], Awaitable[None]]
) -> None:
    """What another process changed a moment ago counts, whatever the reader knew; beats change nothing."""
    target = RouteTarget("message", "c", user_id="7")
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other:
        lease = await reading(hub)
        for one in (WEB, API):
            await other.members.beat(facts_of(one))
        await other.routes.set("chat", "c", WEB, "7")
        assert hub.routes.known(target) is None
        facts = await hub.routes.facts([target])
        await other.members.beat(facts_of(API, session_state="working", enabled={"1": 5.0}))
        assert hub.routes.known(replace(target, answered_message_id="5")) is None
        known = hub.routes.known(target)
        assert known is not None
        assert (known[0].routes, known[0].members) == (facts.routes, facts.members)
        assert await hub.events.store([event(1)], lease, provided=known[1]) == {WEB}
        await change(other)
        assert await hub.events.store([event(2)], lease, provided=known[1]) == frozenset()
        assert numbers(await claim(hub)) == [1]


async def test_an_event_for_several_projects_comes_to_each(made_hub: Hub) -> None:
    """One that is done for one is still there for the other."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        both = RoutedEvent(RawEvent("1", "{}"), (WEB, API))
        assert await hub.events.put([both], {}, lease) == {WEB, API}
        await hub.events.done(WEB, [one.event for one in await claim(hub)])
        assert numbers(await claim(hub, API)) == [1]


@pytest.mark.parametrize("before", [48, 49, 50, 120])
async def test_an_event_for_several_projects_in_a_long_batch(made_hub: Hub, before: int) -> None:
    """Each of them gets it, wherever in the batch it is."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        both = RoutedEvent(RawEvent("both", "{}"), (WEB, API))
        assert await hub.events.put([*(event(n) for n in range(before)), both, event(999)], {}, lease) == {WEB, API}
        assert await hub.events.waiting() == {WEB: before + 2, API: 1}


async def test_a_reader_that_lost_the_lease_stores_nothing(made_hub: Hub) -> None:
    """Neither events nor how far it read: the next one reads them."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other:
        zombie = await reading(hub, "a")
        await hub.events.put([event(1)], {"offset": "1"}, zombie)
        made_hub.execute("UPDATE bots SET lease_until = 0")
        await reading(other, "b")
        with pytest.raises(LeaseLost, match="nothing was written"):
            await hub.events.put([event(2)], {"offset": "2"}, zombie)
        assert numbers(await claim(hub)) == [1]
        assert await hub.events.cursors() == {"offset": "1"}


async def test_cursors_move_with_the_events(made_hub: Hub) -> None:
    """In one transaction; None deletes one."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([], {"a": "1", "b": "2"}, lease)
        await hub.events.put([event(1)], {"a": None, "b": "3"}, lease)
        assert await hub.events.cursors() == {"b": "3"}


async def test_an_older_event_of_a_route_holds_up_the_newer_ones(made_hub: Hub) -> None:
    """Another process has the older one: of that route nothing is handed over, of the others everything is."""
    async with made_hub.open(WEB) as hub, made_hub.open(WEB) as other:
        lease = await reading(hub)
        await hub.events.put([event(1, route="a/"), event(2, route="b/")], {}, lease)
        assert numbers(await claim(hub, domain="one", limit=1)) == [1]
        await hub.events.put([event(3, route="a/"), event(4, route="b/")], {}, lease)
        assert numbers(await claim(other, domain="two")) == [2, 4]
        await hub.events.done(WEB, [event(1).event])
        assert numbers(await claim(other, domain="two")) == [2, 3, 4]


async def test_two_that_claim_at_once_share_what_there_is(made_hub: Hub) -> None:
    """Every event goes to one of them, and those of one route to the same."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.members.beat(facts_of(WEB))
        await hub.events.put([event(n, route=f"{n % 5}/") for n in range(40)], {}, lease)
    got: dict[str, list[int]] = defaultdict(list)

    async def work(domain: str) -> None:
        async with made_hub.open(WEB) as hub:
            for _ in range(3):
                got[domain] += numbers(await claim(hub, domain=domain, limit=8))

    async with anyio.create_task_group() as group:
        for domain in ("one", "two"):
            group.start_soon(work, domain)
    # What a domain claimed and has not done, it is given again.
    taken = {domain: sorted(set(found)) for domain, found in got.items()}
    assert not set(taken["one"]) & set(taken["two"])
    routes = {domain: {n % 5 for n in found} for domain, found in taken.items()}
    assert not routes["one"] & routes["two"]


async def test_what_a_dead_process_had_claimed_comes_again(made_hub: Hub) -> None:
    """At once where the same locks tell that it is dead, and elsewhere after a while by the database's clock."""
    async with made_hub.open(WEB) as hub:
        await hub.events.put([event(1)], {}, await reading(hub))
        assert numbers(await claim(hub, domain="one")) == [1]
        assert numbers(await claim(hub, domain="one")) == [1]
        assert await claim(hub, domain="two") == []
        made_hub.execute("UPDATE events SET claimed_until = claimed_until - 1000")
        assert numbers(await claim(hub, domain="two")) == [1]


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_a_clock_that_is_an_hour_off_changes_nothing(
    made_hub: Hub, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """A claim is neither over early nor held for ever, and how long an event waited is told rightly."""
    async with made_hub.open(WEB) as hub:
        await hub.events.put([event(1)], {}, await reading(hub))
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
        claimed = await claim(hub, domain="one")
        assert 0 <= claimed[0].waited_s < 600
        # As this machine's clock says it, which everything else here goes by.
        assert abs(claimed[0].event.received_at - time.time()) < 600
        assert await claim(hub, domain="two") == []


async def test_what_the_hub_does_itself_is_taken_over_at_once(made_hub: Hub) -> None:
    """From a reader on another machine that died in the middle of it: messages wait for it."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1, "hub"), event(2, "hub")], {}, lease)
        assert numbers(await claim(hub, "hub", "one", 1)) == [1]
        assert await claim(hub, "hub", "two") == []
        assert numbers(await hub.events.claim("hub", "two:1", None, 9)) == [1, 2]


async def test_undecided_events_wait_until_they_are_decided_once(made_hub: Hub) -> None:
    """They keep their place in the order; a second decision changes nothing."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1, UNDECIDED), event(2, UNDECIDED)], {}, lease)
        await hub.events.put([event(3)], {}, lease)
        waiting = (await hub.events.pending()).undecided
        assert [(one.event.event_id, one.chat_id, one.user_id) for one in waiting] == [
            ("1", "chat", "7"),
            ("2", "chat", "7"),
        ]
        assert (await hub.events.waiting())[UNDECIDED] == 2
        ids = [one.id for one in waiting]
        assert await hub.events.decide(ids, WEB) == 2
        assert await hub.events.decide(ids, API) == 0
        assert numbers(await claim(hub)) == [1, 2, 3]


async def test_what_nobody_gets_is_counted_and_forgotten(made_hub: Hub) -> None:
    """It is there for the doctor, not for any project, and goes with what is done."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(1, None)], {}, lease)
        assert (await hub.events.pending()).undecided == []
        assert await hub.events.nobody_count() == 1
        made_hub.execute("UPDATE events SET received_at = received_at - 3600 * 5")
        assert await hub.events.prune(4, 100) == 1
        assert await hub.events.nobody_count() == 0


async def test_only_what_is_done_is_deleted(made_hub: Hub) -> None:
    """However old: what waits is kept until somebody takes it; and little by little."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.put([event(n) for n in range(4)] + [event(9, UNDECIDED)], {}, lease)
        await hub.events.done(WEB, [one.event for one in await claim(hub, limit=3)])
        assert await hub.events.prune(72, 100) == 0
        made_hub.execute("UPDATE events SET received_at = 0, done_at = done_at - 73 * 3600")
        assert await hub.events.prune(72, 2) == 2
        assert await hub.events.prune(72, 100) == 1
        assert await hub.events.waiting() == {WEB: 1, UNDECIDED: 1}


async def test_what_is_kept_costs_nothing(made_hub: Hub) -> None:
    """No statement looks through the events that are done, of which there are three days'."""
    if made_hub.path is None:
        pytest.skip("PostgreSQL finds the index by itself")
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        await hub.events.waiting()
        statements: list[str] = []
        target = RouteTarget("message", "chat", user_id="7")
        db = hub.db._store._db  # type: ignore[attr-defined] - nothing else tells what SQLite is asked
        db.set_trace_callback(statements.append)
        with hub.events.claiming("machine:1"):
            await hub.events.put([event(1), event(2, API)], {"a": "1"}, lease)
            await hub.events.store([event(3)], lease, provided=hub.events.nothing_pending(target))
        claimed = await hub.events.claim(WEB, "machine:1", "machine", 9)
        await hub.events.pending(after=1, before=9)
        await hub.events.pending(["chat/"])
        await hub.events.undecided_counts()
        await hub.events.done(WEB, [one.event for one in claimed])
        await hub.events.waiting()
        await hub.events.untold(WEB, 1.0)
        await hub.events.nobody_count()
        await hub.events.prune(72.0, 10)
        db.set_trace_callback(None)
        asked = {sql for sql in statements if "events" in sql}
        assert len(asked) >= 10
        undecided = [sql for sql in asked if "project = '' AND state = 'waiting'" in sql]
        assert len(undecided) >= 4
        for sql in undecided:
            # Not even through those that nobody got, which are kept a while too.
            assert "events_undecided" in str([row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]), sql
        commands = [sql for sql in asked if "project = 'hub'" in sql]
        assert len(commands) == 2
        for sql in commands:
            assert "events_open (bot=? AND project=?)" in str(
                [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
            ), sql
        for sql in asked:
            for row in db.execute(f"EXPLAIN QUERY PLAN {sql}"):
                assert not re.search(r"SCAN events|autoindex_events_1 \(bot=\?\)", row[3]), (row[3], sql)


async def test_several_bots_do_not_meet(made_hub: Hub) -> None:
    """One PostgreSQL database serves many bots, whose events may have the same ids."""
    async with made_hub.open(WEB) as hub, made_hub.open(WEB, bot="mychat:2") as other:
        await hub.events.put([event(1)], {"a": "1"}, await reading(hub))
        lease = Lease(other.db, "mychat:2", "machine", 3600.0, Clock())
        assert await lease.take({})
        assert await other.events.cursors() == {}
        await other.events.put([event(1)], {"a": "2"}, lease)
        assert numbers(await claim(hub)) == [1]
        assert numbers(await claim(other)) == [1]
        assert await hub.events.cursors() == {"a": "1"}


# What may happen, in any order: the reader puts some events, one of two machines claims, finishes, or dies.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.sampled_from("abc"), min_size=1, max_size=4)),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("claim"), st.sampled_from(("one", "two")), st.integers(1, 4)),
        st.tuples(st.just("finish"), st.sampled_from(("one", "two"))),
        st.tuples(st.just("die"), st.sampled_from(("one", "two"))),
    ),
    max_size=30,
)


TABLES = ("bots", "cursors", "events", "routes", "members", "sent", "questions", "keepers", "starts", "hub_schema")


class Inboxes:
    """One project's inbox, which keeps an event once, and what each of two machines holds on the way to it."""

    def __init__(self, hub: ProjectHub) -> None:
        self.hub = hub
        self.inbox: list[int] = []
        self.holds: dict[str, list[ClaimedEvent]] = {"one": [], "two": []}

    async def claim(self, domain: str, limit: int = 100) -> bool:
        """A machine claims, and forgets what it held; True if there was anything."""
        self.holds[domain] = await claim(self.hub, domain=domain, limit=limit)
        return bool(self.holds[domain])

    async def finish(self, domain: str) -> None:
        """It journals what it holds, and says so."""
        self.inbox += [n for n in numbers(self.holds[domain]) if n not in self.inbox]
        await self.hub.events.done(WEB, [one.event for one in self.holds[domain]])
        self.holds[domain] = []

    async def drain(self, made_hub: Hub) -> None:
        """Each comes back once and works everything off; what the other had is over."""
        for domain in ("one", "two", "one"):
            made_hub.execute("UPDATE events SET claimed_until = 0")
            while await self.claim(domain):
                await self.finish(domain)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_nothing_is_lost_and_order_holds(
    made_hub: Hub, steps: list[tuple[str, str | int | list[str], int]]
) -> None:
    """Each project's inbox ends with every event, and first meets those of one route in the order they were said."""
    for table in TABLES:
        made_hub.execute(f"DROP TABLE IF EXISTS {table}")
    said: list[RoutedEvent] = []
    async with made_hub.open(WEB) as hub:
        lease, boxes = await reading(hub), Inboxes(hub)
        await hub.members.beat(facts_of(WEB))
        for kind, what, *limit in steps:
            if kind == "put" and isinstance(what, list):
                new = [event(len(said) + n, route=f"{route}/") for n, route in enumerate(what)]
                said += new
                await hub.events.put(new, {}, lease)
            elif kind == "again" and isinstance(what, int):
                await hub.events.put(said[what : what + 1], {}, lease)
            elif kind == "claim":
                await boxes.claim(str(what), *limit)
            elif kind == "finish":
                await boxes.finish(str(what))
            else:
                boxes.holds[str(what)] = []
        await boxes.drain(made_hub)
    assert sorted(boxes.inbox) == list(range(len(said)))
    for route in {one.route_key for one in said}:
        of_route = [n for n, one in enumerate(said) if one.route_key == route]
        assert [n for n in boxes.inbox if n in of_route] == of_route


async def test_the_text_of_what_was_taken_over_does_not_stay(made_hub: Hub) -> None:
    """Nor that of what nobody gets; what waits is whole, and nothing comes twice."""
    async with made_hub.open(WEB) as hub:
        lease = await reading(hub)
        events = [event(1), event(2, None), event(3, API), event(4)]
        await hub.events.put(events[:2], {}, lease)
        await hub.events.done(WEB, [one.event for one in await claim(hub)])
        await hub.events.put(events[2:], {}, lease)
        assert await hub.events.forget(60.0, 3600.0, 10) == 0
        while await hub.events.forget(-1.0, 3600.0, 1):
            pass
        payloads = made_hub.execute("SELECT event_id, payload FROM events ORDER BY id")
        assert payloads == [("1", ""), ("2", ""), ("3", '{"n": 3}'), ("4", '{"n": 4}')]
        assert await hub.events.put(events, {}, lease) == frozenset()
        assert await hub.events.nobody_count() == 1
        assert [one.event.payload for one in await claim(hub)] == ['{"n": 4}']
