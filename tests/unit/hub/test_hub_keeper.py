"""Starting a project from the chat: who is offered it, what a tap does, and what people are told became of it.

The adapter, the sandbox, the hub on each engine and the processes that are started are real; the hosts are scripts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from agent_channels.core.errors import UntrustedState
from agent_channels.core.host.background import HOST_LOG
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.starts import EXPIRES_S
from agent_channels.core.runtime.hub import away, host_starts
from agent_channels.core.runtime.hub.host_starts import HostStarts
from agent_channels.core.runtime.hub.local_projects import LocalProject
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.registry import channel
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN
from hub_reading import HubReading, group, reading
from hubs import Hub

API, WEB = "apiapiap", "webwebwe"
WAITS = "echo it runs; exec sleep 600"


@pytest.fixture
async def tg() -> AsyncIterator[TelegramSandbox]:
    async with TelegramSandbox(TOKEN) as made:
        yield made


@pytest.fixture
async def desk(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HubReading]:
    monkeypatch.setattr(away, "TELL_AFTER_S", -1.0)
    async with reading(tg, made_hub, tmp_path) as made:
        yield made


@pytest.fixture
def ann(tg: TelegramSandbox) -> TelegramPerson:
    person = tg.person("ann", first_name="Ann")
    person.dm.started = True
    return person


@pytest.fixture
def bob(tg: TelegramSandbox) -> TelegramPerson:
    person = tg.person("bob", first_name="Bob")
    person.dm.started = True
    return person


class Machine:
    """The machine on which the project api lies, with its keeper's part that starts hosts."""

    def __init__(self, made_hub: Hub, desk: HubReading, folder: Path) -> None:
        self._hub, self._desk = made_hub, desk
        self.folder, self.state = folder / "api", folder / "api-state"
        self.folder.mkdir()
        make_state_folder(self.state)
        self.allowed = True
        self.hosts: list[Any] = []

    def approver(self, person: TelegramPerson, *, approver: bool = True) -> None:
        """Makes somebody an approver of the project, as its own store has it."""
        with Store.open(self.state) as store:
            access = Services.of(store).access
            access.allow(str(person.id), by="test", name=person.handle)
            access.set_approver(str(person.id), approver=approver)

    def host(self, script: str) -> list[str]:
        """A host that notes each start; the command for it."""
        path = self.folder / "host.sh"
        path.write_text(f"#!/bin/sh\necho start >> {self.folder}/starts\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return [str(path)]

    @property
    def starts(self) -> int:
        """How often it was started."""
        path = self.folder / "starts"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def project(self, start: Sequence[str]) -> LocalProject:
        """The project, as the keeper knows it."""
        row, env = channel("telegram"), Environment("telegram", {"TELEGRAM_STATE_DIR": str(self.state)})
        settings = load(row.settings, env).replace(start=tuple(start))
        return LocalProject(row, env, settings, TOKEN, self._hub.address, API, self.folder)

    @contextlib.asynccontextmanager
    async def keeping(self, *start: str, **changes: Any) -> AsyncIterator[None]:
        """The keeper starts what it is asked for, until the block's end."""
        project = replace(self.project(start), **changes)
        async with self._hub.open(KEEPER) as hub:
            await hub.keepers.beat("desk", "laptop", os.getpid(), {API})
            work = HostStarts(
                hub, self._desk.adapter, lambda: {API: project} if self.allowed else {}, os.environ, umask=0o022
            )

            async def run() -> None:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(hub.wakeups.run)
                    tasks.start_soon(work.run)

            task = asyncio.create_task(run())
            try:
                yield
            finally:
                self.hosts = list(work._hosts)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                for host in self.hosts:
                    host.terminate()
                    host.wait()


@pytest.fixture
def machine(made_hub: Hub, desk: HubReading, tmp_path: Path) -> Machine:
    return Machine(made_hub, desk, tmp_path)


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons that can be tapped."""
    keys = (key for row in message.get("reply_markup", {}).get("inline_keyboard", []) for key in row)
    return [key["text"] for key in keys if "callback_data" in key]


def shown(person: TelegramPerson, message: dict[str, Any]) -> dict[str, Any]:
    """A message of a direct chat as it looks now."""
    return next(one for one in person.messages() if one["message_id"] == message["message_id"])


async def offered(ann: TelegramPerson, text: str = "hello") -> dict[str, Any]:
    """What an approver is answered whose message waits for a project without a session."""
    ann.send(text)
    offer = await ann.next_message()
    assert labels(offer) == ["Start", "Later"]
    return offer


async def no_session(desk: HubReading, *approvers: int, people: Sequence[int] = (), **facts: Any) -> None:
    """The project api has no session."""
    await desk.member("api", *{*approvers, *people}, approvers=approvers, session_state="none", **facts)


async def closed(desk: HubReading, person: TelegramPerson, message: dict[str, Any], outcome: str) -> None:
    """Waits until a message has no buttons any more, but this outcome."""
    await desk.when(lambda: not labels(shown(person, message)) and outcome in shown(person, message)["text"])


async def test_an_approver_starts_a_project_and_is_told_that_it_works(
    desk: HubReading, machine: Machine, ann: TelegramPerson
) -> None:
    """Offered once while messages wait; "starting" at once; and once its session is there, that. It runs on alone."""
    await no_session(desk, ann.id)
    machine.approver(ann)
    async with machine.keeping(*machine.host(WAITS)):
        offer = await offered(ann, "one")
        assert "No session works on api. Your message is saved" in offer["text"]
        ann.send("two")
        while (await desk.hub.events.waiting()).get(API) != 2:
            await desk.settled()
        assert len(ann.inbox) == 1
        told = await ann.tap(offer["message_id"], label="Start").answered()
        assert told.text == "Starting api… (ann)"
        await closed(desk, ann, offer, "Starting api… (ann)")
        await desk.when(lambda: machine.starts == 1)
        await desk.member("api", ann.id, approvers=[ann.id], session_state="idle")
        assert "A session works on api now" in (await ann.next_message())["text"]
        await desk.until(API, ["one", "two"])
        assert len(ann.inbox) == 2
        await desk.when(lambda: b"it runs" in (machine.state / HOST_LOG).read_bytes())
        assert (machine.state / HOST_LOG).stat().st_mode & 0o777 == 0o600
    with Store.open(machine.state) as store:
        (entry,) = [row for row in Services.of(store).audit.latest(5) if row["what"] == "start"]
        assert (entry["subject"], entry["detail"]) == (str(ann.id), str(machine.folder))


async def test_two_people_and_two_taps_are_one_start(
    desk: HubReading, machine: Machine, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """Each is told that it is being started; whoever asked first is told what became of it."""
    await no_session(desk, ann.id, bob.id)
    for person in (ann, bob):
        machine.approver(person)
    async with machine.keeping(*machine.host(WAITS)):
        offers = [await offered(person) for person in (ann, bob)]
        data = offers[0]["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        taps = [
            person.tap(offer["message_id"], data=data)
            for person, offer in ((ann, offers[0]), (ann, offers[0]), (bob, offers[1]))
        ]
        for tap in taps:
            assert (await tap.answered()).text.startswith("Starting api… (")
        await desk.when(lambda: machine.starts == 1)
        await desk.member("api", ann.id, bob.id, approvers=[ann.id, bob.id], session_state="idle")
        assert "A session works on api now" in (await ann.next_message())["text"]
        await closed(desk, bob, offers[1], "Starting api…")
        assert machine.starts == 1
        assert len(bob.inbox) == 1


async def test_later_keeps_the_message(desk: HubReading, machine: Machine, ann: TelegramPerson) -> None:
    """The buttons go, nothing is started, and the message arrives with the next session."""
    await no_session(desk, ann.id)
    async with machine.keeping(*machine.host(WAITS)):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Later")
        await closed(desk, ann, offer, "Later. It is kept")
    assert machine.starts == 0
    await desk.until(API, ["hello"])


async def test_only_approvers_start(
    tg: TelegramSandbox, desk: HubReading, machine: Machine, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """Who is none is told that the message waits, with no buttons; in a group, that approvers may, by its tap."""
    team = tg.group("Team", members=[ann, bob])
    await no_session(desk, ann.id, people=[bob.id], groups={team.id: group()})
    async with machine.keeping(*machine.host(WAITS)):
        bob.send("hello")
        notice = await bob.next_message()
        assert labels(notice) == []
        assert "saved for api, where no session is running" in notice["text"]
        bob.send("@sandbox_bot hello", chat=team)
        offer = await team.next_message()
        assert labels(offer) == ["Start", "Later"]
        told = await bob.tap(offer["message_id"], label="Start", chat=team).answered()
        assert "Only an approver of api can do that" in told.text
        forged = await bob.tap(notice["message_id"], data=f"hub:start:{API}").answered()
        assert forged.text == "This button no longer works."
    assert machine.starts == 0


async def test_nothing_is_offered_that_no_keeper_may_start(
    desk: HubReading, machine: Machine, made_hub: Hub, ann: TelegramPerson
) -> None:
    """Not by a keeper that may start other projects only; a button of before says that it cannot."""
    await no_session(desk, ann.id)
    async with made_hub.open(KEEPER) as hub:
        await hub.keepers.beat("desk", "laptop", 1, {WEB})
        ann.send("hello")
        notice = await ann.next_message()
        assert labels(notice) == []
        assert "saved for api, where no session is running" in notice["text"]
        await desk.until(API, ["hello"])
        await hub.keepers.beat("desk", "laptop", 1, {API})
        offer = await offered(ann)
        await hub.keepers.leave("desk")
        told = await ann.tap(offer["message_id"], label="Start").answered()
        assert "api cannot be started from here now" in told.text
        assert await hub.starts.take([API]) == []


@pytest.mark.parametrize(
    ("script", "start", "reason"),
    [
        ("exit 3", None, "the host ended, with code 3."),
        ("", ["no-such-host-anywhere"], "the program no-such-host-anywhere is not on its machine"),
        ("", ["/no/such/host"], "the program /no/such/host is not on its machine"),
    ],
)
async def test_why_a_host_did_not_start_is_told(
    desk: HubReading, machine: Machine, ann: TelegramPerson, script: str, start: list[str] | None, reason: str
) -> None:
    """With buttons to try it again, and the message is kept."""
    await no_session(desk, ann.id)
    machine.approver(ann)
    command = machine.host(script) if start is None else start
    async with machine.keeping(*command):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        failed = await ann.next_message()
        assert failed["text"].startswith(f"⚠ api was not started: {reason}")
        assert "What you wrote is kept." in failed["text"]
        assert labels(failed) == ["Start", "Later"]
        if start is None:
            ann.tap(failed["message_id"], label="Start")
            assert reason in (await ann.next_message())["text"]
            assert machine.starts == 2
    assert (await desk.hub.events.waiting()).get(API) == 1


async def test_what_the_host_said_last_is_told_without_secrets(
    desk: HubReading, machine: Machine, ann: TelegramPerson
) -> None:
    """At most five lines, without what controls a terminal, and of this start alone."""
    await no_session(desk, ann.id)
    machine.approver(ann)
    token = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"
    said = f"printf 'one\\ntwo\\n\\033[31mred\\033[0m\\n\\nAPI_KEY=abcdefgh12345678\\n{token}\\nlast\\n'; exit 4"
    (machine.state / HOST_LOG).write_bytes(b"of an earlier start\n")
    async with machine.keeping(*machine.host(said)):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        failed = (await ann.next_message())["text"]
    assert failed.split("\n\n")[1].splitlines() == ["two", "red", "API_KEY=[secret]", "[token]", "last"]


async def test_a_host_of_which_no_session_comes_is_ended(
    desk: HubReading,
    machine: Machine,
    ann: TelegramPerson,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """It waits for an answer at a terminal that nobody sees; what it asks is told. Also under a keeper of `nohup`."""
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, ignored))
    monkeypatch.setattr(host_starts, "UP_WITHIN_S", 1.0)
    await no_session(desk, ann.id)
    machine.approver(ann)
    pid = machine.folder / "pid"
    script = f"echo Do you trust this folder?; echo $$ > {pid}; exec sleep 600"
    async with machine.keeping(*machine.host(script)):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        failed = (await ann.next_message())["text"]
        assert "no session came up within 1 seconds" in failed
        assert "Do you trust this folder?" in failed
        host = int(pid.read_text())
        await desk.when(lambda: not psutil.pid_exists(host) or psutil.Process(host).status() == psutil.STATUS_ZOMBIE)


async def test_claude_is_launched_in_the_mode_that_is_set(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `channels launch`, unattended, and its mode before the project's own; never from its folder."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(program.parent)
    (machine.state / "config.yaml").write_text("start_mode: acceptEdits\n")
    project = machine.project(["claude", "--model", "opus"])
    command = host_starts._command(project, {"PATH": f"relative:{program.parent}"})
    assert command[1:] == [
        *("launch", "telegram", "--unattended", "--host", str(program), "--"),
        *("--permission-mode", "acceptEdits", "--model", "opus"),
    ]
    assert Path(command[0]).name == "channels"
    with pytest.raises(host_starts._NotStartedError, match="the program claude is not on its machine"):
        host_starts._command(project, {"PATH": "."})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"folder": None}, "its settings do not allow it any more."),
        ({"folder": Path("/no/such/folder")}, "its folder is gone."),
    ],
)
async def test_what_changed_since_it_was_offered_counts(
    desk: HubReading, machine: Machine, ann: TelegramPerson, changes: dict[str, Any], reason: str
) -> None:
    """A folder that is registered no longer, or is gone."""
    await no_session(desk, ann.id)
    machine.approver(ann)
    async with machine.keeping(*machine.host(WAITS), **changes):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        assert reason in (await ann.next_message())["text"]
    assert machine.starts == 0


async def test_the_project_itself_says_who_approves(desk: HubReading, machine: Machine, ann: TelegramPerson) -> None:
    """Not the hub, whose word may be old: nobody is started for who is no approver any more, or by a copied folder."""
    await no_session(desk, ann.id)
    machine.approver(ann, approver=False)
    async with machine.keeping(*machine.host(WAITS)):
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        failed = await ann.next_message()
        assert "not an approver of it any more" in failed["text"]
        (machine.state / ".key").write_text("not the registry's\n")
        with pytest.raises(UntrustedState):
            Store.open(machine.state)
        ann.tap(failed["message_id"], label="Start")
        assert "its machine refused" in (await ann.next_message())["text"]
    assert machine.starts == 0


async def test_a_start_that_nobody_did_is_told_by_whoever_reads(
    desk: HubReading, made_hub: Hub, ann: TelegramPerson
) -> None:
    """The keeper may have died on the way."""
    await no_session(desk, ann.id)
    async with made_hub.open(KEEPER) as hub:
        await hub.keepers.beat("desk", "laptop", 1, {API})
        offer = await offered(ann)
        ann.tap(offer["message_id"], label="Start")
        await closed(desk, ann, offer, "Starting api…")
        made_hub.execute(f"UPDATE starts SET asked_at = asked_at - {EXPIRES_S + 1}")
        desk.chat.wake()
        assert "nobody told what became of it" in (await ann.next_message())["text"]
