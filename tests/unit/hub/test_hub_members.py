"""The projects of a bot: names that people tell apart, heartbeats by the database's clock, leaving."""

from __future__ import annotations

import json
import socket
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import Refused
from agent_channels.core.hub.events import UNDECIDED, RoutedEvent
from agent_channels.core.hub.lease import Lease, lock_domain
from agent_channels.core.hub.members import NAME_MAX, MemberGroup, project_name
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.sent import SentMessage
from agent_channels.core.hub.wakeups import HubWakeups
from agent_channels.core.i18n.sentences import unpacked
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.runtime.hub import member as hub_member
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.store.database import Store
from clock import Clock
from hubs import BOT, Hub, facts_of

WEB, API = "webwebwe", "apiapiap"


async def test_a_project_is_known_as_it_says(made_hub: Hub) -> None:
    """Everything that decides about its messages comes back as it was told."""
    groups = {"-100": MemberGroup(frozenset({"1", "2"}), hears_all=False), "-200": MemberGroup()}
    facts = facts_of(WEB, "web", people=frozenset({"1", "2"}), groups=groups, waiting=frozenset({"9"}))
    async with made_hub.open(WEB) as hub:
        assert await hub.members.beat(facts) == "web"
        (member,) = await hub.members.read()
    assert (member.project, member.name, member.people, member.approvers) == (
        WEB,
        "web",
        frozenset({"1", "2"}),
        frozenset({"1"}),
    )
    assert (member.groups, member.waiting, member.session_state) == (groups, frozenset({"9"}), "idle")
    assert member.enabled["1"] == pytest.approx(1000.0, abs=60)


async def test_names_are_unique_and_stay(made_hub: Hub) -> None:
    """A second project of one name gets a number, and keeps it when the first has gone."""
    async with made_hub.open(WEB) as hub:
        assert [await hub.members.beat(facts_of(f"project{n}", "web")) for n in "abc"] == ["web", "web-2", "web-3"]
        await hub.members.leave("projecta")
        assert await hub.members.beat(facts_of("projectb", "web")) == "web-2"
        assert await hub.members.beat(facts_of("projectd", "web")) == "web"


async def test_a_name_that_is_taken_is_refused(made_hub: Hub) -> None:
    """So is one that nobody could type behind a command; who is refused has not joined, and keeps the name it had."""
    async with made_hub.open(WEB) as hub:
        await hub.members.beat(facts_of(WEB, "web"))
        for joined in ([WEB], [API, WEB]):
            with pytest.raises(Refused, match="another project is called 'web'"):
                await hub.members.beat(facts_of(API, "api"), name="web")
            with pytest.raises(Refused, match="'my-api' can"):
                await hub.members.beat(facts_of(API, "api", people=frozenset({"2"})), name="my api")
            assert sorted(member.project for member in await hub.members.read()) == joined
            assert "2" not in {person for member in hub.members.known for person in member.people}
            assert await hub.members.beat(facts_of(API, "api"), name="api") == "api"
        assert await hub.members.beat(facts_of(API, "api"), name="backend") == "backend"
        assert await hub.members.beat(facts_of(API, "api")) == "backend"
        assert [member.name for member in await hub.members.read()] == ["backend", "web"]


async def test_many_of_one_name_join_at_once(made_hub: Hub) -> None:
    """From a machine each, with folders of the same name: every one joins, under a name of its own."""
    projects = [f"project{n}" for n in "abcdef"]
    async with AsyncExitStack() as stack:
        hubs = [await stack.enter_async_context(made_hub.open(project)) for project in projects]
        for hub in hubs:
            await hub.members.read()
        joined: list[str] = []

        async def join(hub: ProjectHub) -> None:
            joined.append(await hub.members.beat(facts_of(hub.project, "web")))

        async with anyio.create_task_group() as group:
            for hub in hubs:
                group.start_soon(join, hub)
        assert sorted(joined) == ["web", "web-2", "web-3", "web-4", "web-5", "web-6"]
        assert sorted(member.name for member in await hubs[0].members.read()) == sorted(joined)


@given(st.text(max_size=100))
def test_any_folder_has_a_name(text: str) -> None:
    """One that can be typed behind a command, is short, and stays the same when it is made again."""
    name = project_name(text)
    assert 1 <= len(name) <= NAME_MAX
    assert not any(sign.isspace() for sign in name)
    assert project_name(name) == name


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_how_long_a_project_is_silent_is_told_by_the_database(
    made_hub: Hub, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """Two machines whose clocks are an hour apart agree on it, and on since when a chat is read."""
    real = time.time
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other:
        monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
        await hub.members.beat(facts_of(WEB, enabled={"5": time.time() - 100}))
        monkeypatch.setattr(time, "time", real)
        (member,) = await other.members.read()
        assert not member.is_away
        assert 0 <= member.silent_s < 30
        assert time.time() - other.members.enabled_since()["5"] == pytest.approx(100, abs=30)
        made_hub.execute("UPDATE members SET seen_at = seen_at - 3600")
        (member,) = await other.members.read()
        assert (member.is_away, member.state) == (True, "away")


def sockets_in(runtime: Path) -> list[Path]:
    """Every socket there."""
    return list(runtime.rglob("*.sock"))


async def test_a_dead_process_of_this_machine_is_known_at_once(made_hub: Hub, runtime: Path) -> None:
    """One that was killed leaves its socket behind; on another machine it may well live, and who left has left."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other, anyio.create_task_group() as group:
        states = [facts_of(API, domain=lock_domain()), facts_of(WEB, domain="elsewhere")]

        async def known() -> dict[str, str]:
            for facts in states:
                await hub.members.beat(facts)
            return {member.project: member.state for member in await hub.members.read()}

        assert await known() == {API: "idle", WEB: "idle"}
        group.start_soon(other.wakeups.run)
        while not hub.wakeups.hears(API):  # noqa: ASYNC110 - a socket appears
            await anyio.sleep(0.01)
        assert await known() == {API: "idle", WEB: "idle"}
        sockets = sockets_in(runtime)
        group.cancel_scope.cancel()
    for path in sockets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left_behind:
            left_behind.bind(str(path))
    async with made_hub.open(WEB) as hub:
        assert await known() == {API: "dead", WEB: "idle"}
        assert [member.is_unattended for member in hub.members.known] == [True, False]
        states[0] = replace(states[0], session_state="none")
        assert await known() == {API: "none", WEB: "idle"}


async def test_what_the_projects_read_is_their_union(made_hub: Hub) -> None:
    """A chat that several read is read since the first of them did."""
    async with made_hub.open(WEB) as hub:
        await hub.members.beat(facts_of(WEB, enabled={"1": 100.0, "2": 200.0}))
        await hub.members.beat(facts_of(API, enabled={"2": 150.0, "3": 300.0}))
        await hub.members.read()
        since = hub.members.enabled_since()
    assert {chat: round(at, -1) for chat, at in since.items()} == {"1": 100.0, "2": 150.0, "3": 300.0}


async def test_who_leaves_leaves_nothing_behind(made_hub: Hub) -> None:
    """What waited for it is to be decided again; what another project has as well is not asked about."""
    async with made_hub.open(WEB) as hub:
        lease = Lease(hub.db, BOT, "machine", 3600.0, Clock())
        await lease.take({})
        await hub.members.beat(facts_of(WEB))
        await hub.sent.record(WEB, [SentMessage("1", "10")])
        for project in (WEB, API):
            made_hub.execute(f"INSERT INTO routes VALUES ('{BOT}', 'chat', '{project}', '{project}', 'me', 0)")
        await hub.events.put(
            [RoutedEvent(RawEvent("1", "{}"), (WEB,)), RoutedEvent(RawEvent("2", "{}"), (WEB, API))], {}, lease
        )
        assert await hub.members.leave(WEB) == 1
        assert await hub.members.leave(WEB) is None
        assert [one.event.event_id for one in (await hub.events.pending()).undecided] == ["1"]
        assert await hub.events.waiting() == {UNDECIDED: 1, API: 1}
        assert made_hub.execute("SELECT project FROM routes") == [(API,)]
        assert made_hub.execute("SELECT * FROM sent") == []


async def test_the_sender_of_a_message_is_known(made_hub: Hub) -> None:
    """By chat and id; what is told again late does not overrule what is known."""
    async with made_hub.open(WEB) as hub:
        await hub.sent.record(WEB, [SentMessage("1", str(n)) for n in range(250)])
        await hub.sent.record(API, [SentMessage("1", "7"), SentMessage("2", "7")], replace=False)
        found = made_hub.execute("SELECT chat_id, message_id, project FROM sent")
        assert sorted(found) == sorted([*(("1", str(n), WEB) for n in range(250)), ("2", "7", API)])
        made_hub.execute("UPDATE sent SET at = at - 86400 * 31 WHERE chat_id = '1'")
        while await hub.sent.prune(30, 100):
            pass
        assert made_hub.execute("SELECT chat_id, message_id, project FROM sent") == [("2", "7", API)]


async def test_a_wake_up_reaches_the_project_and_no_other(made_hub: Hub) -> None:
    """Between processes: events wake their project, and new people wake who reads the bot."""
    async with made_hub.open(WEB) as hub, made_hub.open(API) as other, anyio.create_task_group() as group:
        await hub.members.beat(facts_of(WEB))
        await other.members.beat(facts_of(API))
        group.start_soon(hub.wakeups.run)
        # Subscribed once it hears of a member: only PostgreSQL says so by itself.
        lease = Lease(other.db, BOT, "machine", 3600.0, Clock())
        await lease.take({})
        with anyio.fail_after(20):
            numbers = iter(range(1000))
            heard = anyio.Event()

            async def until_heard() -> None:
                await hub.wakeups.own.wait()
                heard.set()

            group.start_soon(until_heard)
            while not heard.is_set():
                raw = RawEvent(str(next(numbers)), "{}")
                await other.events.put([RoutedEvent(raw, (WEB,))], {}, lease)
                with anyio.move_on_after(0.2):
                    await heard.wait()
            await other.members.read()
            await other.members.beat(facts_of(API, people=frozenset({"1", "2"})))
            await hub.wakeups.members.wait()
        group.cancel_scope.cancel()


async def test_a_wake_up_that_is_lost_delays_and_loses_nothing(made_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears of it, and it is found all the same, at the next look."""
    monkeypatch.setattr("agent_channels.core.hub.wakeups.LOOK_EVERY_S", 0.05)

    def lose(_self: HubWakeups, _projects: object) -> None:
        """As a datagram that does not arrive."""

    monkeypatch.setattr(HubWakeups, "send", lose)
    async with made_hub.open(WEB) as hub:
        lease = Lease(hub.db, BOT, "machine", 3600.0, Clock())
        await lease.take({})
        await hub.events.put([RoutedEvent(RawEvent("1", "{}"), (WEB,))], {}, lease)
        with anyio.fail_after(20):
            await hub.wakeups.wait()
        assert len(await hub.events.claim(WEB, "machine:1", "machine", 10)) == 1


async def test_a_project_is_spoken_for_only_while_no_session_works_on_it(made_hub: Hub) -> None:
    """Whom it lets in may change meanwhile; what its own session says stays, and who never joined does not join."""
    api = facts_of(API, "api", session_state="idle")
    changed = facts_of(API, "api", people=frozenset({"2"}), folder="/elsewhere", session_state="none")
    async with made_hub.open() as hub:
        assert not await hub.members.refresh(changed, 0.0)
        await hub.members.beat(api)
        made_hub.execute("UPDATE members SET seen_at = seen_at - 20")
        (member,) = await hub.members.read()
        await hub.members.beat(api)
        # It was heard of since somebody found it silent.
        assert not await hub.members.refresh(changed, member.silent_s)
        await hub.wakeups.members.wait()
        (member,) = await hub.members.read()
        assert (member.people, member.state) == ({"1"}, "idle")
        assert await hub.members.refresh(changed, member.silent_s)
        (member,) = await hub.members.read()
        assert (member.people, member.state, member.folder) == ({"2"}, "none", "/home/me/api")
        with anyio.fail_after(5):
            await hub.wakeups.members.wait()


async def test_two_machines_that_work_for_one_project_say_so(
    made_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a state folder that was copied to another machine: both name the other one, until one of them ends."""
    monkeypatch.setattr(hub_member, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(hub_member, "BEAT_EVERY_S", 0.02)

    async with AsyncExitStack() as stack:
        services: dict[str, Services] = {}
        scopes: dict[str, anyio.CancelScope] = {}

        async def works(machine: str) -> None:
            store = stack.enter_context(Store.open(tmp_path / machine))
            services[machine] = Services.of(store)
            settings, channel = Settings(), SimpleNamespace(name="telegram")
            context = cast(
                "BotContext", SimpleNamespace(services=services[machine], settings=settings, channel=channel)
            )
            hub = await stack.enter_async_context(made_hub.open(WEB))
            await Lease(hub.db, BOT, "one", 3600.0).take({"state": "reading"})
            scopes[machine] = anyio.CancelScope()
            work = hub_member.HubMember(context, hub, machine)
            with scopes[machine]:
                async with anyio.create_task_group() as both:
                    both.start_soon(work.run)
                    both.start_soon(work.show)

        async def shown(machine: str, problem: str) -> None:
            with anyio.fail_after(20):
                while True:
                    found = json.loads((services[machine].health.get("hub") if machine in services else "") or "{}")
                    said = unpacked(found.get("problem") or "")
                    if found and (problem in said if problem else not said):
                        return
                    await anyio.sleep(0.02)

        async with anyio.create_task_group() as group:
            group.start_soon(works, "one")
            await shown("one", "")
            group.start_soon(works, "two")
            for machine in ("one", "two"):
                await shown(machine, "run `channels hub join telegram --as-new` there")
            scopes["two"].cancel()
            await shown("one", "")
            scopes["one"].cancel()
