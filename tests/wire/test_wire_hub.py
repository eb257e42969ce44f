"""`channels hub` and the doctor on both engines: joining, leaving, who reads, what waits, and what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent_channels.core.hub.migrations import MIGRATIONS
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import Ran
from hub_stage import HubProject, HubStage, hub_stage
from hubs import ENGINES
from wire_host import eventually


@pytest.fixture(params=ENGINES)
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[HubStage]:
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    async with hub_stage(request.param, cluster) as made:
        yield made


def joining(hub: HubStage, name: str, machine: str = "one") -> HubProject:
    """A project that no variable names a hub for."""
    project = hub.project(name, machine)
    project.env["CHANNELS_HUB"] = None
    return project


async def said(hub: HubStage, project: HubProject, *arguments: str, stdin: str = "") -> Ran:
    """Runs `channels hub ...` in a project."""
    return await hub.stage.cli("hub", *arguments, stdin=stdin, **project.env)


async def checks(hub: HubStage, project: HubProject) -> dict[str, dict[str, Any]]:
    """What the doctor finds in a project."""
    ran = await hub.stage.cli("doctor", "telegram", "--json", **project.env)
    (report,) = ran.json["channels"]
    return {check["check"]: check for check in report["checks"]}


async def test_a_project_joins_and_leaves_under_a_running_server(hub: HubStage) -> None:
    """Its server notices both by itself; what the platform had told it is not lost on the way."""
    web = joining(hub, "web")
    ann = hub.person("ann", web)
    host = await web.host()
    ann.send("alone")

    def new() -> list[str]:
        """What came for the first time: the bot is opened anew, and what is open is offered again, marked."""
        return [event.content for event in host.events if event.meta.get("redelivered") != "true"]

    await host.until(lambda: new() == ["alone"], what="the first message")
    joined = await said(hub, web, "join", "telegram", hub.address)
    assert joined.code == 0, joined.err
    assert "This project is now web in the hub" in joined.out
    await host.status_when(lambda found: (found["hub"] or {}).get("name") == "web")
    ann.send("shared")
    await host.until(lambda: new() == ["alone", "shared"], what="the second message")
    await eventually(lambda: hub.states() == [(web.id, "done")], "one event that is done")

    left = await said(hub, web, "leave", "telegram", "--json")
    assert left.code == 0, left.err
    assert left.json == {"ok": True, "was_member": True, "kept": 0, "undecided": 0, "others": []}
    await host.status_when(lambda found: found["hub"] is None and found["reader"]["state"] == "reading")
    ann.send("alone again")
    await host.until(lambda: new() == ["alone", "shared", "alone again"], what="the third message")
    assert hub.hub.execute("SELECT project FROM members") == []
    again = await said(hub, web, "leave", "telegram")
    assert again.code == 1
    assert "shares its bot with no other" in again.err


async def test_who_leaves_a_bot_that_others_share_is_told_so(hub: HubStage) -> None:
    """They go on reading it, so the project that left needs another one, and is told how to give it that."""
    web, api = joining(hub, "web"), joining(hub, "api", "two")
    for project in (web, api):
        assert (await said(hub, project, "join", "telegram", hub.address)).code == 0
    left = await said(hub, web, "leave", "telegram")
    assert left.code == 0, left.err
    assert "api still share" in left.out
    assert "`channels setup telegram --token-stdin < FILE`" in left.out
    last = await said(hub, api, "leave", "telegram")
    assert "reads its bot for itself" in last.out


async def test_names_are_given_and_told(hub: HubStage) -> None:
    """A second project of one name gets another; `--name` chooses, and what is taken is refused."""
    web, api = joining(hub, "web"), joining(hub, "api", "two")
    assert (await said(hub, web, "join", "telegram", hub.address, "--json")).json["name"] == "web"
    taken = await said(hub, api, "join", "telegram", hub.address, "--name", "web")
    assert taken.code == 1
    assert "another project is called 'web'" in taken.err
    joined = await said(hub, api, "join", "telegram", hub.address, "--name", "backend")
    assert "backend in the hub" in joined.out
    assert "beside web" in joined.out
    status = await said(hub, web, "status", "telegram")
    assert status.code == 0
    for part in ("this project  web", "read by       nobody", "backend", "no session"):
        assert part in status.out
    alone = hub.project("alone")
    alone.env["CHANNELS_HUB"] = None
    ran = await said(hub, alone, "status")
    assert ran.code == 1
    assert "shares no bot with another" in ran.err


async def test_the_status_says_who_reads_and_what_waits(hub: HubStage) -> None:
    """With the process, its machine and its lease; each project with what it does and what waits for it."""
    web, api = hub.project("web"), hub.project("api", "two")
    ann = hub.person("ann", api)
    gone = await hub.working(api)
    await gone.kill()
    # Its own machine knows at once that it is dead, without waiting for beats that do not come.
    assert "no session, its process has ended; last heard of at" in (await said(hub, api, "status")).out
    reader = await hub.reading(web)
    for number in range(3):
        ann.send(f"waits {number}")
    await eventually(lambda: hub.states() == [(api.id, "waiting")] * 3, "three events that wait")
    status = (await said(hub, web, "status", "telegram", "--json")).json
    assert status["reader"]["pid"] == reader.process.pid
    assert status["reader"]["left_s"] > 0
    assert {one["name"]: one["waiting"] for one in status["projects"]} == {"api": 3, "web": 0}
    hub.hub.execute("UPDATE members SET seen_at = seen_at - 3600 WHERE name = 'api'")
    text = (await said(hub, web, "status", "telegram")).out
    assert f"process {reader.process.pid} on" in text
    assert "away, last heard of at" in text
    assert "3 messages wait" in text
    of_all = (await said(hub, web, "status")).out
    assert of_all.startswith("Telegram\nhub ")
    assert "3 messages wait" in of_all
    (listed,) = (await said(hub, web, "status", "--json")).json["hubs"]
    assert (listed["channel"], listed["problem"], listed["reader"]["pid"]) == ("telegram", None, reader.process.pid)
    found = await checks(hub, web)
    assert found["hub projects"]["state"] == "note"
    assert "3 messages wait for projects without a session: api" in found["hub projects"]["found"]


async def test_whoever_sets_the_hub_has_to_unset_it(hub: HubStage) -> None:
    """Leaving is refused while a variable or config.yaml would join the project again at once."""
    web = hub.project("web")
    by_variable = await said(hub, web, "leave", "telegram")
    assert by_variable.code == 1
    assert "the environment variable CHANNELS_HUB" in by_variable.err
    other = hub.project("other", hub=hub.address)
    other.env["CHANNELS_HUB"] = None
    by_file = await said(hub, other, "leave", "telegram")
    assert by_file.code == 1
    assert "remove the line `hub:`" in by_file.err


async def test_the_doctor_finds_what_is_wrong_with_a_hub(hub: HubStage) -> None:
    """Not joined, read by nobody, read by somebody, not reachable, too new: each with what to do."""
    web = hub.project("web")
    found = await checks(hub, web)
    assert "not in the hub yet" in found["hub projects"]["found"]
    assert found["hub reader"]["found"].startswith("nobody reads the bot")
    assert found["hub reader"]["state"] == "wrong"

    host = await hub.reading(web)
    found = await checks(hub, web)
    assert {name: found[name]["state"] for name in ("hub", "hub reader", "hub projects", "second poller")} == {
        "hub": "ok",
        "hub reader": "ok",
        "hub projects": "ok",
        "second poller": "ok",
    }
    assert f"process {host.process.pid}" in found["hub reader"]["evidence"]
    assert "its lease ends in" in found["hub reader"]["evidence"]
    await host.kill()

    hub.hub.execute(f"UPDATE hub_schema SET version = {len(MIGRATIONS) + 1}")
    found = await checks(hub, web)
    assert "refuses this program" in found["hub"]["found"]
    assert found["hub reader"]["state"] == "skipped"
    hub.hub.execute(f"UPDATE hub_schema SET version = {len(MIGRATIONS)}")
    if hub.gate is not None:
        async with hub.unreachable():
            found = await checks(hub, web)
        assert "cannot be reached" in found["hub"]["found"]
        assert "start the database" in found["hub"]["next"]


async def test_a_reader_on_another_machine_is_no_stranger(hub: HubStage) -> None:
    """The doctor of a project on this machine does not disturb it, and knows it for the hub's."""
    web, api = hub.project("web"), hub.project("api", "two")
    joined = await said(hub, web, "join", "telegram")
    assert joined.code == 0, joined.err
    reader = await hub.reading(api)
    found = await checks(hub, web)
    assert found["second poller"]["state"] == "ok"
    assert f"process {reader.process.pid}" in found["second poller"]["evidence"]
    assert not [call for call in hub.tg.calls if call.response_code == 409]


async def test_a_password_is_never_an_argument_and_never_shown(hub: HubStage) -> None:
    """Every user of the machine sees arguments; from standard input it is taken, kept in .env, and masked."""
    if hub.gate is None:
        pytest.skip("a hub on this machine has no password")
    web = joining(hub, "web")
    secret = "correct-horse-battery"
    address = hub.address.replace("tests@", f"tests:{secret}@")
    refused = await said(hub, web, "join", "telegram", address)
    assert refused.code == 2
    assert "--address-stdin" in refused.err
    joined = await said(hub, web, "join", "telegram", "--address-stdin", stdin=f"{address}\n")
    assert joined.code == 0, joined.err
    assert f"CHANNELS_HUB={address}" in (web.state / ".env").read_text(encoding="utf-8")
    host = await web.host()
    await host.status_when(lambda found: (found["hub"] or {}).get("name") == "web")
    async with hub.unreachable():
        await host.until(lambda: "cannot be reached" in host.log(), what="the fault in the log")
        await checks(hub, web)
    await said(hub, web, "status", "telegram")
    with Store.open(web.state) as store:
        shown = str(Services.of(store).health.read())
    assert secret not in hub.stage.everything_said() + shown


async def test_a_password_in_config_yaml_is_refused(hub: HubStage) -> None:
    """Backups hold that file; the refusal says where the address belongs, and does not show it."""
    web = hub.project("web", hub="postgresql://me:correct-horse-battery@localhost/hub")
    web.env["CHANNELS_HUB"] = None
    host = await web.host()
    status = await host.status_when(lambda found: bool(found["problem"]) and found["problem"] != "starting")
    assert "--address-stdin" in status["problem"]
    assert "correct-horse" not in hub.stage.everything_said()


@pytest.mark.parametrize("address", ["postgresql://me@db.example.org/hub", "mysql://me@localhost/hub"])
async def test_an_address_that_cannot_be_used_stops_nothing_but_itself(hub: HubStage, address: str) -> None:
    """The reason is told before anything is changed."""
    web = joining(hub, "web")
    refused = await said(hub, web, "join", "telegram", address)
    assert refused.code == 1
    assert "the setting hub" in refused.err
    assert "CHANNELS_HUB" not in (web.state / ".env").read_text(encoding="utf-8")
    host = await web.host(CHANNELS_HUB=address)
    status = await host.status_when(lambda found: bool(found["problem"]) and found["problem"] != "starting")
    assert "the setting hub" in status["problem"]
