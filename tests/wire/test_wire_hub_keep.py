"""`channels hub keep`: a process of its own that reads while no session does, and starts a host from the phone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Account
from harness import COMMAND, Ran
from hub_stage import HubProject, HubStage, hub_stage
from hubs import ENGINES
from wire_host import PATIENCE_S, eventually

# A host: it starts the server as its project's list says, and answers every message.
HOST = f"""
import json, os, subprocess, sys
from pathlib import Path
Path("host.pid").write_text(str(os.getpid()))
assert sys.stdin.isatty() and sys.stdout.isatty()
print("the host of", os.getcwd(), flush=True)
server = subprocess.Popen({[*COMMAND, "serve", "telegram"]!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def send(**message):
    server.stdin.write(json.dumps({{"jsonrpc": "2.0", **message}}) + "\\n")
    server.stdin.flush()
client = {{"name": "scripted", "version": "1"}}
send(id=1, method="initialize", params={{"protocolVersion": "2025-11-25", "capabilities": {{}}, "clientInfo": client}})
for line in server.stdout:
    message = json.loads(line)
    if message.get("id") == 1:
        send(method="notifications/initialized")
    elif message.get("method") == "notifications/claude/channel":
        text, chat = message["params"]["content"], message["params"]["meta"]["chat_id"]
        arguments = {{"chat_id": chat, "text": f"the host answers: {{text}}"}}
        send(id=text, method="tools/call", params={{"name": "reply", "arguments": arguments}})
"""


@pytest.fixture(params=ENGINES)
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[HubStage]:
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    async with hub_stage(request.param, cluster) as made:
        yield made


@pytest.fixture
async def local() -> AsyncIterator[HubStage]:
    async with hub_stage("local", None) as made:
        yield made


async def said(hub: HubStage, project: HubProject, *arguments: str) -> Ran:
    """Runs `channels hub ...` in a project."""
    return await hub.stage.cli("hub", *arguments, **project.env)


async def joined(hub: HubStage, name: str, **settings: Any) -> HubProject:
    """A project that joined at its terminal, with its token in its state folder."""
    project = hub.project(name, **settings)
    project.env["CHANNELS_HUB"] = None
    set_dotenv_value(project.state, "TELEGRAM_BOT_TOKEN", hub.tg.token)
    ran = await said(hub, project, "join", "telegram", hub.address)
    assert ran.code == 0, ran.err
    return project


class Keeping:
    """A keeper's process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.out = ""
        self.err = ""

    async def facts(self) -> dict[str, Any]:
        """What it says it keeps, the next time that it says it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        if not line:
            await self.ended()
            raise AssertionError(f"the keeper ended: {self.err}")
        return dict(json.loads(line))

    async def ended(self, number: int | None = None) -> int:
        """Its exit code, after a signal."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        self.out, self.err = out.decode(), err.decode()
        return self.process.returncode or 0


@contextlib.asynccontextmanager
async def keeping(hub: HubStage, project: HubProject, *words: str) -> AsyncIterator[Keeping]:
    """A keeper on the machine of a project, until the block's end."""
    env = {**hub.stage.env, "XDG_RUNTIME_DIR": str(project.env["XDG_RUNTIME_DIR"])}
    # What a terminal in some project has set is not every project's.
    env |= {"TELEGRAM_STATE_DIR": "/no/such/state", "CLAUDE_PROJECT_DIR": "/no/such/project", "CHANNELS_HUB": "local"}
    kept = Keeping(await hub.stage.spawn([*COMMAND, "hub", "keep", "--json", *words], env))
    try:
        yield kept
    finally:
        if kept.process.returncode is None:
            await kept.ended(signal.SIGTERM)


def reader(hub: HubStage) -> str:
    """Which project's process reads, as the hub has it; `keeper` is the keeper's, "" nobody's."""
    rows = hub.hub.execute("SELECT reader_json, lease_until FROM bots")
    return str(json.loads(rows[0][0])["project"]) if rows and rows[0][1] else ""


async def checks(hub: HubStage, project: HubProject) -> dict[str, dict[str, Any]]:
    """What the doctor finds in a project."""
    ran = await hub.stage.cli("doctor", "telegram", "--json", **project.env)
    (report,) = ran.json["channels"]
    return {check["check"]: check for check in report["checks"]}


async def test_it_stands_back_and_takes_over(hub: HubStage) -> None:
    """While a session reads it waits; killed, it reads; a session that comes then works, and the reading stays."""
    web = await joined(hub, "web")
    ann = hub.person("ann", web)
    first = await hub.reading(web)
    owner = hub.owner()
    async with keeping(hub, web) as keeper:
        facts = await keeper.facts()
        assert [(bot["channel"], bot["hub"]) for bot in facts["bots"]] == [("telegram", str(hub.hub.address))] or (
            hub.gate is not None
        )
        assert [one["folder"] for one in facts["bots"][0]["projects"]] == [str(web.project)]
        await eventually(lambda: hub.hub.execute("SELECT pid FROM keepers"), "the keeper in the hub")
        ann.send("one")
        await first.until(lambda: [event.content for event in first.events] == ["one"], what="the message")
        assert hub.owner() == owner

        await first.kill()
        ann.send("two")
        await eventually(lambda: hub.owner()[1] == owner[1] + 1 and reader(hub) == "keeper", "the keeper's lease")
        await eventually(lambda: (web.id, "waiting") in hub.states(), "the message in the hub")
        status = await said(hub, web, "status", "telegram")
        assert f"the keeper, process {keeper.process.pid} on" in status.out
        assert f"process {keeper.process.pid} on" in status.out.partition("keeper        ")[2]
        found = await checks(hub, web)
        assert found["hub reader"]["state"] == found["hub keeper"]["state"] == "ok"
        assert f"the keeper, process {keeper.process.pid}" in found["hub reader"]["evidence"]

        second = await hub.working(web)
        await second.until(lambda: "two" in [event.content for event in second.events], what="what waited")
        ann.send("three")
        await second.until(lambda: "three" in [event.content for event in second.events], what="what comes")
        assert reader(hub) == "keeper"
        assert await keeper.ended(signal.SIGINT) == 0
        await eventually(lambda: reader(hub) == web.id, "the session's lease")
        assert hub.hub.execute("SELECT pid FROM keepers") == []
    assert not [call for call in hub.tg.calls if call.response_code == 409]
    assert hub.tg.token not in keeper.err


async def test_nothing_is_lost_while_sessions_come_and_go(hub: HubStage, note: Any) -> None:
    """Two projects, each session ended or killed in turn under a stream of messages: an exact account."""
    projects = [await joined(hub, name) for name in ("web", "api")]
    people = [hub.person(f"{name}_person", project) for name, project in zip(("web", "api"), projects, strict=True)]
    accounts = [Account(), Account()]

    def talk(number: int) -> None:
        for account, person in zip(accounts, people, strict=True):
            for part in range(4):
                account.say(person, f"{person.handle} {number}.{part}")

    async with keeping(hub, projects[0]):
        # It tells the hub who was let in since the projects joined.
        await eventually(
            lambda: (
                [row[0] for row in hub.hub.execute("SELECT people FROM members ORDER BY name")]
                == [f'["{person.id}"]' for person in reversed(people)]
            ),
            "the people in the hub",
        )
        talk(0)
        for number in range(1, 5):
            at = number % 2
            host = await projects[at].host()
            accounts[at].hosts.append(host)
            talk(number)
            await host.until(
                lambda host=host, number=number, at=at: (
                    f"{people[at].handle} {number}.0"  # type: ignore[misc]
                    in [event.content for event in host.events]
                ),
                what="what came meanwhile",
            )
            talk(number + 10)
            await (host.kill() if number > 2 else host.close())
        for account, project in zip(accounts, projects, strict=True):
            host = await project.host()
            account.hosts.append(host)
            await host.until(
                lambda account=account: account.lost() == [],  # type: ignore[misc]
                what="what waited",
            )
    for account in accounts:
        assert len(account.sent) == 36
        account.check()
    duplicates = sum(len(account.duplicates()) for account in accounts)
    note("hub", f"sessions come and go under a keeper ({hub.hub.text.partition(':')[0]}): 72 sent, 0 lost, "
         f"{duplicates} shown again and marked")  # fmt: skip


async def test_a_second_keeper_says_so(local: HubStage) -> None:
    """And ends with 1; its message names the first. Another channel's bots are nobody's concern."""
    web = await joined(local, "web")
    async with keeping(local, web) as keeper:
        assert len((await keeper.facts())["bots"]) == 1
        await eventually(lambda: reader(local) == "keeper", "the keeper's lease")
        async with keeping(local, web) as second:
            assert await second.ended() == 1
        assert f"another keeper keeps the bot telegram:{local.tg.bot_id} already: process {keeper.process.pid}" in (
            second.err
        )
        assert json.loads(second.out)["ok"] is False
        async with keeping(local, web, "discord") as other:
            assert (await other.facts())["bots"] == []


async def test_projects_join_and_leave_under_it(local: HubStage) -> None:
    """It waits for the first, keeps what joins, and leaves what leaves to its own session."""
    web = local.project("web")
    async with keeping(local, web) as keeper:
        assert (await keeper.facts())["bots"] == []
        web = await joined(local, "api")
        ann = local.person("ann", web)
        assert [one["project"] for one in (await keeper.facts())["bots"][0]["projects"]] == [web.id]
        await eventually(lambda: reader(local) == "keeper", "the keeper's lease")
        left = await said(local, web, "leave", "telegram")
        assert left.code == 0, left.err
        assert (await keeper.facts())["bots"] == []
        host = await web.host()
        ann.send("alone again")
        assert (await host.event()).content == "alone again"
        log = (await local.stage.cli("hub", "log", "telegram")).out
        assert f"keeping the bot telegram:{local.tg.bot_id} in the hub local" in log
        assert local.tg.token not in log


async def test_people_are_let_in_while_it_reads(local: HubStage) -> None:
    """The terminal tells them itself, as no server does; the keeper tells the hub, and what they say is answered."""
    web = await joined(local, "web")
    bob = local.tg.person("bob")
    bob.dm.started = True
    host = await local.working(web)
    bob.send("let me in")
    found = re.search(r"code: ([A-Z0-9]{8})", (await bob.next_message(PATIENCE_S))["text"])
    assert found is not None
    await host.close()
    async with keeping(local, web):
        await eventually(lambda: reader(local) == "keeper", "the keeper's lease")
        paired = await local.stage.cli("access", "telegram", "pair", found[1], **web.env)
        assert paired.code == 0, paired.err
        assert "Paired" in (await bob.next_message(PATIENCE_S))["text"]
        await eventually(
            lambda: local.hub.execute("SELECT people FROM members") == [(f'["{bob.id}"]',)], "bob in the hub"
        )
        bob.send("/projects")
        assert "web – no session" in (await bob.next_message(PATIENCE_S))["text"]
        bob.send("hello")
        assert "saved for web, where no session is running" in (await bob.next_message(PATIENCE_S))["text"]
    host = await web.host()
    await host.until(lambda: [event.content for event in host.events] == ["let me in", "hello"], what="both")


async def test_its_log(local: HubStage) -> None:
    """By channel, as JSON, followed, and private."""
    web = await joined(local, "web")
    async with keeping(local, web):
        await eventually(lambda: reader(local) == "keeper", "the keeper's lease")
        found = [json.loads(line) for line in (await local.stage.cli("hub", "log", "--json")).out.splitlines()]
        assert {(one["process"], one["channel"]) for one in found} == {("keeper", "telegram")}
        assert any("this process reads the bot for all projects" in one["text"] for one in found)
        assert (await local.stage.cli("hub", "log", "discord")).out == ""
        path = Path(os.environ["CHANNELS_DATA_DIR"]) / "keeper" / "channel.log"
        assert path.stat().st_mode & 0o777 == 0o600
        following = await local.stage.spawn([*COMMAND, "hub", "log", "-f"], local.stage.env)
        assert following.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await following.stdout.readline()
        assert b"keeper[" in line
        following.kill()
        await following.wait()


async def test_a_host_is_started_from_the_phone(hub: HubStage) -> None:
    """Its session comes up in a terminal of its own, and answers the message; it outlives the keeper."""
    script = hub.stage.folder / "host.py"
    script.write_text(HOST, encoding="utf-8")
    api = await joined(hub, "api", mode="push", start=[sys.executable, str(script)])
    ann = hub.person("ann", api)
    with Store.open(api.state) as store:
        Services.of(store).access.set_approver(str(ann.id), approver=True)
    pid = api.project / "host.pid"
    try:
        async with keeping(hub, api) as keeper:
            facts = await keeper.facts()
            assert [one["start"] for one in facts["bots"][0]["projects"]] == [True]
            await eventually(
                lambda: hub.hub.execute("SELECT approvers FROM members") == [(f'["{ann.id}"]',)],
                "the approver in the hub",
            )
            ann.send("are you there?")
            offer = await offered(ann)
            assert "may start api" in (await said(hub, api, "status", "telegram")).out
            ann.tap(offer["message_id"], label="Start")
            told = [(await ann.next_message(PATIENCE_S))["text"] for _ in range(2)]
            assert sorted(told) == sorted(
                ["the host answers: are you there?", "▶ A session works on api now. What waited arrives there."]
            )
            assert f"the host of {api.project}" in (api.state / "host.log").read_text()
        ann.send("and without the keeper?")
        assert (await ann.next_message(PATIENCE_S))["text"] == "the host answers: and without the keeper?"
    finally:
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGKILL)


async def offered(ann: TelegramPerson) -> dict[str, Any]:
    """What an approver is answered whose message waits."""
    offer = await ann.next_message(PATIENCE_S)
    assert "No session works on api" in offer["text"]
    return offer


async def test_without_a_keeper_the_doctor_says_how_to_have_one(local: HubStage) -> None:
    """Nobody reads: that, and the next step; `hub status` says it too."""
    web = await joined(local, "web")
    found = await checks(local, web)
    assert found["hub reader"]["state"] == "wrong"
    assert "no keeper is installed: `channels hub install --now`" in found["hub reader"]["next"]
    assert found["hub keeper"]["state"] == "note"
    assert "none; `channels hub install --now`" in (await said(local, web, "status", "telegram")).out
    await local.reading(web)
    found = await checks(local, web)
    assert (found["hub reader"]["state"], found["hub keeper"]["state"]) == ("ok", "note")


async def test_a_folder_that_did_not_join_at_a_terminal_starts_nothing(local: HubStage) -> None:
    """A variable joined it; what its settings allow is not offered until `channels hub join` was run there."""
    api = local.project("api", start="claude")
    for name, value in (("TELEGRAM_BOT_TOKEN", local.tg.token), ("CHANNELS_HUB", "local")):
        set_dotenv_value(api.state, name, value)
    host = await local.working(api)
    await host.close()
    async with keeping(local, api) as keeper:
        (bot,) = (await keeper.facts())["bots"]
        assert [(one["folder"], one["start"]) for one in bot["projects"]] == [(None, False)]
        assert (await said(local, api, "join", "telegram")).code == 0
        (bot,) = (await keeper.facts())["bots"]
        assert [(one["folder"], one["start"]) for one in bot["projects"]] == [(str(api.project), True)]


async def test_what_bypasses_permissions_is_named(local: HubStage) -> None:
    """Such a project is left out, and the log says why."""
    web = await joined(local, "web")
    config = web.state / "config.yaml"
    config.write_text("start: [claude, --dangerously-skip-permissions]\n", encoding="utf-8")
    async with keeping(local, web) as keeper:
        assert (await keeper.facts())["bots"] == []
        assert (
            "--dangerously-skip-permissions starts a host that asks for no permission"
            in (await local.stage.cli("hub", "log")).out
        )
