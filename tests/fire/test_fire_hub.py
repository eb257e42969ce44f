"""One bot for several projects on several machines: whatever is killed, paused or cut, each gets all of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.core.hub.migrations import MIGRATIONS
from faults_harness import Account, Gate, Note, calls_since, locked
from harness import Host
from hub_stage import LEASE_S, HubProject, HubStage, hub_stage
from hubs import ENGINES
from wire_host import PATIENCE_S, eventually

pytestmark = pytest.mark.long


@pytest.fixture(params=ENGINES)
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[HubStage]:
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    async with hub_stage(request.param, cluster) as made:
        yield made


async def shows(host: Host, *texts: str) -> None:
    """The host is shown these texts."""
    await host.until(lambda: set(texts) <= {event.content for event in host.events}, PATIENCE_S, str(texts))


def texts(host: Host) -> list[str]:
    return [event.content for event in host.events]


async def test_each_project_gets_its_own_messages(hub: HubStage) -> None:
    """One process reads for both, wherever they run; a person's messages reach the project that lets them in alone."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    first = await hub.reading(web)
    second = await hub.working(api)
    for number in range(5):
        ann.send(f"web {number}")
        bob.send(f"api {number}")
    await shows(first, *(f"web {number}" for number in range(5)))
    await shows(second, *(f"api {number}" for number in range(5)))
    assert texts(first) == [f"web {number}" for number in range(5)]
    assert texts(second) == [f"api {number}" for number in range(5)]
    assert not [call for call in hub.tg.calls if call.response_code == 409]
    await second.done("reply", chat_id=bob.id, text="from the other machine")
    assert (await bob.next_message())["text"] == "from the other machine"
    await eventually(lambda: {state for _, state in hub.states()} == {"done"}, "everything is done")


async def test_a_reader_that_was_paused_writes_nothing_when_it_wakes(hub: HubStage, note: Note) -> None:
    """Paused for more than twice the lease, with a message already on its wire: another reads it, once."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    account_web, account_api = Account(), Account()
    zombie, other = await hub.reading(web), await hub.working(api)
    account_web.hosts, account_api.hosts = [zombie], [other]
    account_web.say(ann, "before")
    await shows(zombie, "before")
    _, epoch = hub.owner()

    await hub.tg.wait_for(lambda: hub.tg.polling, PATIENCE_S)
    zombie.signal_all(signal.SIGSTOP)
    # The poll that the paused process waits in takes it: answered, and never confirmed.
    account_api.say(bob, "while it was paused")
    account_web.say(ann, "for the paused one")
    await eventually(lambda: hub.owner()[1] > epoch, "another owner of the lease")
    await shows(other, "while it was paused")
    owner = hub.owner()
    # Twice the lease, from now on.
    await asyncio.sleep(2 * LEASE_S)  # the promise is about this time
    stored = hub.states()

    zombie.signal_all(signal.SIGCONT)
    await zombie.until(lambda: "no longer reads the bot" in zombie.log(), PATIENCE_S, "the zombie's insight")
    await shows(zombie, "for the paused one")
    account_api.say(bob, "after it woke")
    await shows(other, "after it woke")
    for account in (account_web, account_api):
        account.check()
        assert account.duplicates() == []
    assert hub.owner() == owner
    assert len(hub.states()) == len(stored) + 1
    note(
        "hub",
        f"reader paused for over {2 * LEASE_S:.0f} s and woken ({hub.hub.text.partition(':')[0]}): 0 lost, 0 doubled",
    )


CLOCK = """
import os, time
_real = time.time
time.time = lambda: _real() + float(os.environ["CLOCK_AHEAD_S"])
"""


@pytest.mark.timeout(300)  # its processes cannot be forked from a warm one
async def test_clocks_that_are_an_hour_apart_change_nothing(hub: HubStage, tmp_path: Path) -> None:
    """One machine an hour ahead, one an hour behind: both get their messages, and the reading moves when it must."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path / "clock"), os.environ.get("PYTHONPATH")]))

    def clock(ahead_s: int) -> dict[str, str]:
        return {"PYTHONPATH": path, "CLOCK_AHEAD_S": str(ahead_s)}

    web, api = hub.project("web"), hub.project("api", "two")
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    ahead = await hub.reading(web, **clock(3600))
    behind = await hub.working(api, **clock(-3600))
    ann.send("one")
    bob.send("two")
    await shows(ahead, "one")
    await shows(behind, "two")
    owner = hub.owner()
    # Neither takes the other for gone.
    await asyncio.sleep(2 * LEASE_S)  # the promise is about this time
    assert hub.owner() == owner
    await ahead.kill()
    bob.send("three")
    ann.send("four")
    await shows(behind, "three")
    assert hub.owner()[1] == owner[1] + 1
    back = await hub.working(web, **clock(3600))
    await shows(back, "four")
    assert texts(behind) == ["two", "three"]
    assert [event.content for event in back.events if event.meta.get("redelivered") != "true"] == ["four"]


async def test_killed_between_the_platforms_answer_and_the_commit(hub: HubStage) -> None:
    """What was read and not stored is read again, and shown once."""
    web = hub.project("web")
    ann = hub.person("ann", web)
    account = Account()
    first = await hub.reading(web)
    with hub.blocked():
        mark = len(hub.tg.calls)
        account.say(ann, "in between")
        await hub.tg.wait_for(lambda: bool(calls_since(hub.tg, mark, "getUpdates", code=200)), PATIENCE_S)
        await first.kill()
    assert hub.states() == []
    second = await hub.reading(web)
    account.hosts = [first, second]
    await shows(second, "in between")
    account.check()
    assert account.duplicates() == []


async def test_killed_between_the_claim_and_the_journal(hub: HubStage) -> None:
    """What a project had claimed and not journalled, its next process claims at once, and shows once."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, account = hub.person("ann", web), Account()
    await hub.reading(api)
    first = await hub.working(web)
    with locked(web.state):
        account.say(ann, "claimed")
        # A server whose own database is locked stops for seconds at each write of its own.
        await eventually(lambda: "claimed" in {state for _, state in hub.states()}, "the claim", 60)
        await first.kill()
    second = await hub.working(web)
    account.hosts = [first, second]
    await shows(second, "claimed")
    account.check()
    assert account.duplicates() == []


async def test_killed_between_the_journal_and_the_mark_in_the_hub(hub: HubStage) -> None:
    """Shown already, and not marked as done: it comes again from the project's own inbox, marked as such, once."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, account = hub.person("ann", web), Account()
    await hub.reading(api)
    first = await hub.working(web)
    with locked(web.state):
        account.say(ann, "journalled")
        await eventually(lambda: "claimed" in {state for _, state in hub.states()}, "the claim", 60)
        blocking = contextlib.ExitStack()
        blocking.enter_context(hub.blocked())
    with blocking:
        await shows(first, "journalled")
        await first.kill()
    second = await hub.working(web)
    account.hosts = [first, second]
    await shows(second, "journalled")
    await eventually(lambda: {state for _, state in hub.states()} == {"done"}, "the mark")
    account.check()
    assert len(account.duplicates()) == 1


async def test_a_hub_that_cannot_be_reached_acknowledges_nothing(hub: HubStage, note: Note) -> None:
    """The platform keeps what is written meanwhile; everything comes afterwards, in order, once."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    first, second = await hub.reading(web), await hub.working(api)
    ann.send("before")
    await shows(first, "before")
    # The poll after it has told the platform.
    await hub.tg.wait_for(lambda: hub.tg.confirmed > 0, PATIENCE_S)
    async with hub.unreachable():
        confirmed, mark = hub.tg.confirmed, len(hub.tg.calls)
        for number in range(10):
            ann.send(f"web {number}")
            bob.send(f"api {number}")
        # It is read at least once, and cannot be stored.
        await hub.tg.wait_for(lambda: bool(calls_since(hub.tg, mark, "getUpdates")), PATIENCE_S)
        await asyncio.sleep(2 * LEASE_S)  # longer than the reader may go on by itself
        assert hub.tg.confirmed == confirmed
        assert texts(first) == ["before"]
    await shows(first, *(f"web {number}" for number in range(10)))
    await shows(second, *(f"api {number}" for number in range(10)))
    assert texts(first) == ["before", *(f"web {number}" for number in range(10))]
    assert texts(second) == [f"api {number}" for number in range(10)]
    note(
        "hub",
        f"database unreachable for over {2 * LEASE_S:.0f} s ({hub.hub.text.partition(':')[0]}): 20 of 20 shown once",
    )


async def test_a_hub_that_takes_no_writes_shows_in_every_project(hub: HubStage) -> None:
    """A full disk under the hub: also a project that reads nothing itself says that nobody reads, until somebody does.

    Its own events would come as ever, and what it last knew of the hub can still be read there.
    """
    web, api = hub.project("web"), hub.project("api", "two")
    await hub.reading(web)
    other = await hub.working(api)
    with hub.unwritable():
        status = await other.status_when(lambda found: bool(found["problem"]), 30)
        assert status["reader"]["state"] != "reading"
        assert status["reader"]["error"]
        shown = await hub.stage.cli("status", "telegram", **api.env)
        assert shown.code == 1
        assert "reading now" not in shown.out
    status = await other.status_when(lambda found: found["problem"] is None, 30)
    assert status["reader"]["state"] == "reading"


async def test_a_newer_schema_is_refused_and_nothing_is_lost(hub: HubStage) -> None:
    """The old program reads nothing and says why, in the status and in the doctor; updated, it goes on."""
    web = hub.project("web")
    ann = hub.person("ann", web)
    first = await hub.reading(web)
    await first.kill()
    hub.hub.execute(f"UPDATE hub_schema SET version = {len(MIGRATIONS) + 1}")
    old = await web.host()
    ann.send("for the new program")
    status = await old.status_when(lambda found: found["reader"]["state"] == "store")
    assert "made by a newer version" in status["reader"]["error"]
    doctor = await hub.stage.cli("doctor", "telegram", "--json", **web.env)
    (report,) = doctor.json["channels"]
    checks = {check["check"]: check for check in report["checks"]}
    assert checks["hub"]["state"] == "wrong"
    assert "update this program" in checks["hub"]["evidence"]
    assert hub.tg.confirmed == 0
    hub.hub.execute(f"UPDATE hub_schema SET version = {len(MIGRATIONS)}")
    await shows(old, "for the new program")


async def test_the_reading_moves_when_the_readers_machine_is_gone(hub: HubStage, note: Note) -> None:
    """Everybody else goes on; what is for the machine that is away waits, and comes in order on its return."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    gone, stays = await hub.reading(web), await hub.working(api)
    await gone.kill()
    began = asyncio.get_running_loop().time()
    for number in range(5):
        ann.send(f"waits {number}")
    bob.send("goes on")
    await shows(stays, "goes on")
    took = asyncio.get_running_loop().time() - began
    note("hub", f"reader killed -> shown by another machine: {took:.1f} s, lease {LEASE_S:.0f} s")
    assert hub.states().count((web.id, "waiting")) == 5
    back = await hub.working(web)
    await shows(back, *(f"waits {number}" for number in range(5)))
    assert texts(back) == [f"waits {number}" for number in range(5)]
    assert texts(stays) == ["goes on"]


@pytest.mark.parametrize("machine", ["one", "two"])
async def test_a_reader_that_cannot_reach_the_platform_lets_another_one_read(hub: HubStage, machine: str) -> None:
    """Only its own way is blocked, as by a firewall: the bot is read all the same, for it too."""
    web, api = hub.project("web"), hub.project("api", machine)
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    async with Gate(int(hub.tg.root.rpartition(":")[2])) as way:
        blocked = await hub.reading(web, TELEGRAM_API_ROOT=way.root)
        other = await hub.working(api)
        ann.send("before")
        await shows(blocked, "before")
        await way.refuse()
        ann.send("for the one that is blocked")
        bob.send("for the other one")
        await shows(other, "for the other one")
        await shows(blocked, "for the one that is blocked")
        await way.open()
    assert texts(blocked) == ["before", "for the one that is blocked"]
    assert texts(other) == ["for the other one"]


async def test_a_dead_reader_of_the_same_machine_is_replaced_at_once(hub: HubStage) -> None:
    """The kernel says that it is dead: nobody waits for the lease, which is long here."""
    web, api = (hub.project(name, hub_lease_s=300) for name in ("web", "api"))
    ann, bob = hub.person("ann", web), hub.person("bob", api)
    gone, stays = await hub.reading(web), await hub.working(api)
    ann.send("first")
    await shows(gone, "first")
    await gone.kill()
    bob.send("goes on")
    await shows(stays, "goes on")


async def test_a_project_without_the_hub_keeps_the_bot_to_itself(hub: HubStage) -> None:
    """Its server was there first, on the same machine: the others wait for it, and the doctor names it."""
    web, alone = hub.project("web"), HubProject(hub, "alone", "one")
    alone.env["CHANNELS_HUB"] = None
    ann = hub.person("ann", web, alone)
    first = await alone.host()
    await hub.tg.wait_for(lambda: hub.tg.polling, PATIENCE_S)
    second = await hub.working(web)
    ann.send("to the one that reads")
    await shows(first, "to the one that reads")
    doctor = await hub.stage.cli("doctor", "telegram", "--json", **web.env)
    (report,) = doctor.json["channels"]
    checks = {check["check"]: check for check in report["checks"]}
    assert checks["hub reader"]["state"] == "wrong"
    await first.kill()
    ann.send("to the hub")
    await shows(second, "to the hub")
    assert texts(second)[-1] == "to the hub"


async def test_what_a_project_sent_is_told_to_the_hub(hub: HubStage) -> None:
    """Each message of its, also one that was sent while the hub could not be reached, or before it joined."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann = hub.person("ann", web)
    alone = {"CHANNELS_HUB": None}
    before = await web.host(**alone)
    await before.done("reply", chat_id=ann.id, text="before it joined")
    await before.kill()
    await hub.reading(api)
    first = await hub.working(web)
    async with hub.unreachable():
        await first.done("reply", chat_id=ann.id, text="while it was away", buttons=[["Yes", "No"]])
    await first.done("reply", chat_id=ann.id, text="afterwards")

    def recorded() -> int:
        return len(hub.hub.execute(f"SELECT message_id FROM sent WHERE project = '{web.id}'"))

    await eventually(lambda: recorded() == 3, "three messages")


async def test_a_hub_file_that_is_replaced_loses_nothing(tmp_path: Path) -> None:
    """Deleted under its reader, with an empty file in its place: what is written then comes once it is known anew."""
    async with hub_stage("local", None) as hub:
        web = hub.project("web")
        ann = hub.person("ann", web)
        host = await hub.reading(web)
        ann.send("before")
        await shows(host, "before")
        assert hub.hub.path is not None
        for file in hub.hub.path.parent.glob(f"{hub.hub.path.name}*"):
            file.unlink()
        hub.hub.path.touch(0o600)
        ann.send("after")
        await shows(host, "after")
        assert texts(host) == ["before", "after"]
