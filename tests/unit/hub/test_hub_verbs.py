"""The verbs that change a hub, run in this process on both engines: join, leave, rm, uninstall, access, trust."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from agent_channels.cli import hub as hub_verb
from agent_channels.cli import main as command
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import HubUnavailable
from agent_channels.core.hub.events import UNDECIDED, RoutedEvent
from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.members import Members
from agent_channels.core.hub.project_hub import project_id
from agent_channels.core.runtime.hub.local_projects import LocalProjects
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.store.database import Store
from agent_channels.registry import channel
from clock import Clock
from harness import Ran
from hubs import ENGINES, Hub

BOT_ID = "8123456789"
TOKEN = f"{BOT_ID}:AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"
ELSEWHERE = "postgresql://me@127.0.0.1:1/other"


class Desk:
    """The terminal of one user, with a hub and the projects whose folders are made here."""

    def __init__(self, hub: Hub, folder: Path, run: Callable[..., Ran]) -> None:
        self.hub, self.folder, self._run = hub, folder, run

    def state(self, name: str) -> Path:
        """The state folder of a project, which is set up when it is first asked for."""
        found = self.folder / name / "state" / "telegram"
        if not found.exists():
            set_dotenv_value(found, "TELEGRAM_BOT_TOKEN", TOKEN)
        return found

    def __call__(self, name: str, *words: str) -> Ran:
        """Runs a command in a project."""
        self.state(name)
        return self._run(self.folder / name, words)

    def joined(self, name: str) -> str:
        """Has a project join; returns its id."""
        ran = self(name, "hub", "join", "telegram", self.hub.text)
        assert ran.code == 0, ran.err
        with Store.open(self.state(name)) as store:
            return project_id(Services.of(store).key_values)

    def members(self) -> set[str]:
        """The names of the projects in the hub."""
        return {str(name) for (name,) in self.hub.execute("SELECT name FROM members")}

    def people(self, name: str) -> str:
        """Whom the hub takes a project to let in."""
        return str(self.hub.execute(f"SELECT people FROM members WHERE name = '{name}'")[0][0])

    def dotenv(self, name: str) -> str:
        """What stands in a project's .env."""
        return (self.state(name) / ".env").read_text(encoding="utf-8")

    def journalled(self, name: str) -> list[str]:
        """The events in a project's inbox."""
        with Store.open(self.state(name)) as store:
            return [event.event_id for _, event in Services.of(store).inbox.unsorted(100)]

    def put(self, *events: tuple[str, str], cursor: str = "1") -> None:
        """Has the bot be read for the hub, up to a cursor: events, each with the project that gets it."""

        async def put() -> None:
            async with self.hub.open(bot=f"telegram:{BOT_ID}") as hub:
                lease = Lease(hub.db, hub.bot, "elsewhere", 3600.0, Clock())
                assert await lease.take({})
                routed = [
                    RoutedEvent(RawEvent(event, "{}"), (project,), "7/", "7", "", "7") for event, project in events
                ]
                await hub.events.put(routed, {"at": cursor}, lease)
                await lease.release()

        anyio.run(put)


@pytest.fixture(params=ENGINES)
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:  # fmt: skip
    for name in ("HOME", "CHANNELS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR", "TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "10000")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr("agent_channels.cli.language._language", None)
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    made = Hub.made(request.param, tmp_path / "CHANNELS_DATA_DIR", cluster, f"telegram:{BOT_ID}")

    def run(folder: Path, words: tuple[str, ...]) -> Ran:
        monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(folder))
        with pytest.raises(SystemExit) as end:
            command.main(words)
        return Ran.of(int(end.value.code or 0), *capsys.readouterr())

    return Desk(made, tmp_path, run)


def test_who_leaves_takes_what_waits_for_it_along(desk: Desk) -> None:
    """Nobody else is handed or asked about it; the last one takes what nobody has decided about too."""
    api, web = desk.joined("api"), desk.joined("web")
    desk.put(("1", api), ("2", UNDECIDED), ("3", web), ("4", api))
    left = desk("api", "hub", "leave", "telegram")
    assert left.code == 0, left.err
    assert "2 messages that waited for it: the session that reads the bot here next gets them." in left.out
    assert "asked about" not in left.out
    assert desk.journalled("api") == ["1", "4"]
    assert desk.hub.execute("SELECT event_id FROM events WHERE state <> 'done' ORDER BY id") == [("2",), ("3",)]
    left = desk("web", "hub", "leave", "telegram", "--json")
    assert left.json == {"ok": True, "was_member": True, "kept": 2, "undecided": 0, "others": []}
    assert sorted(desk.journalled("web")) == ["2", "3"]
    assert desk.hub.execute("SELECT event_id FROM events WHERE state <> 'done'") == []
    assert desk.members() == set()


def test_what_was_journalled_already_is_kept_once(desk: Desk) -> None:
    """A server that ended before it could tell the hub has it; the next project does not get it as well."""
    api = desk.joined("api")
    desk.joined("web")
    desk.put(("1", api))
    with Store.open(desk.state("api")) as store:
        Services.of(store).inbox.put(BOT_ID, [RawEvent("1", "{}")])
    assert desk("api", "hub", "leave", "telegram", "--json").json["kept"] == 0
    assert desk.journalled("api") == ["1"]
    assert desk.hub.execute("SELECT state FROM events") == [("done",)]


def test_where_the_bot_was_read_to_goes_along_with_the_last_project(desk: Desk) -> None:
    """It reads on from there; whoever joins later does not read from there what was read since."""
    for name in ("api", "web"):
        desk.joined(name)
    desk.put(cursor="5")
    desk("api", "hub", "leave", "telegram")
    assert desk.hub.execute("SELECT value FROM cursors") == [("5",)]
    desk.put(cursor="6")
    desk("web", "hub", "leave", "telegram")
    assert desk.hub.execute("SELECT value FROM cursors") == []
    with Store.open(desk.state("web")) as store:
        assert Services.of(store).cursors.get(BOT_ID) == {"at": "6"}


def test_a_leave_that_was_cut_short_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command, although the project takes part no longer; another hub waits until then."""
    desk.joined("api")
    lock = ReaderLock("telegram", BOT_ID, desk.state("api"), shared=True)
    assert lock.claim()
    monkeypatch.setattr(hub_verb, "SERVERS_LEAVE_WITHIN_S", 0.0)
    held = desk("api", "hub", "leave", "telegram")
    assert held.code == 1
    assert "run `channels hub leave telegram` again" in held.err
    assert "CHANNELS_HUB=" not in desk.dotenv("api")
    lock.release()
    other = desk("api", "hub", "join", "telegram", ELSEWHERE if desk.hub.text == "local" else "local")
    assert "leave that one first" in other.err
    assert desk.members() == {"api"}
    again = desk("api", "hub", "leave", "telegram")
    assert again.code == 0, again.err
    assert desk.members() == set()
    assert "CHANNELS_HUB" not in desk.dotenv("api")


def test_one_hub_is_left_before_another_is_joined(desk: Desk) -> None:
    """Else both would count the project as theirs; how the same hub is reached may change."""
    desk.joined("api")
    before = desk.dotenv("api")
    other = desk("api", "hub", "join", "telegram", ELSEWHERE if desk.hub.text == "local" else "local")
    assert other.code == 1
    assert "`channels hub leave telegram`" in other.err
    assert (desk.dotenv("api"), desk.members()) == (before, {"api"})
    if desk.hub.text != "local":
        sign = "&" if "?" in desk.hub.text else "?"
        same = desk("api", "hub", "join", "telegram", f"{desk.hub.text}{sign}application_name=mine")
        assert same.code == 0, same.err


def test_a_join_that_is_refused_changes_nothing(desk: Desk) -> None:
    """Neither the hub nor the project."""
    desk.joined("web")
    for name in ("web", "a b"):
        refused = desk("api", "hub", "join", "telegram", desk.hub.text, "--name", name)
        assert refused.code == 1
        assert desk.members() == {"web"}
        assert "CHANNELS_HUB" not in desk.dotenv("api")


def test_a_project_whose_folder_is_gone_is_taken_out(desk: Desk) -> None:
    """By any other project of the bot, which is told what waited; not one that a session works on, nor oneself."""
    api = desk.joined("api")
    desk.joined("web")
    desk.put(("1", api))
    desk.hub.execute("UPDATE members SET session_state = 'idle'")
    refused = desk("web", "hub", "rm", "telegram", "api")
    assert (refused.code, "a session works on api" in refused.err) == (1, True)
    desk.hub.execute("UPDATE members SET session_state = 'none'")
    refused = desk("web", "hub", "rm", "telegram", "web")
    assert (refused.code, "`channels hub leave telegram`" in refused.err) == (1, True)
    refused = desk("web", "hub", "rm", "telegram", "shop")
    assert (refused.code, "there are: api, web" in refused.err) == (1, True)
    shutil.rmtree(desk.state("api"))
    removed = desk("web", "hub", "rm", "telegram", "api")
    assert removed.code == 0, removed.err
    assert "api is out of the hub" in removed.out
    assert "1 message that waited for it will be asked about." in removed.out
    assert desk.members() == {"web"}


def test_a_project_whose_state_is_deleted_leaves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And if the hub cannot be told, the operator is, with what to do."""
    desk.joined("api")
    desk.joined("web")
    assert desk("api", "uninstall", "--state", "delete", "--yes").code == 0
    assert desk.members() == {"web"}

    async def fail(*_: object) -> None:
        raise HubUnavailable("no route to it")

    monkeypatch.setattr(Members, "leave", fail)
    ran = desk("web", "uninstall", "--state", "delete", "--yes")
    assert ran.code == 0
    assert "no route to it" in ran.err
    assert "`channels hub rm telegram NAME`" in ran.err
    assert not desk.folder.joinpath("web", "state", "telegram", "channel.db").exists()


def test_the_hub_knows_at_once_who_is_let_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no session and no keeper runs; if it cannot be told, the operator is."""
    desk.joined("api")
    assert desk("api", "access", "telegram", "allow", "7").code == 0
    assert desk.people("api") == '["7"]'
    assert desk("api", "access", "telegram", "approver", "add", "7").code == 0
    assert desk.hub.execute("SELECT approvers FROM members") == [('["7"]',)]
    assert desk("api", "access", "telegram", "remove", "7").code == 0
    assert desk.people("api") == "[]"

    async def fail(*_: object) -> None:
        raise HubUnavailable("no route to it")

    monkeypatch.setattr(Members, "refresh", fail)
    ran = desk("api", "access", "telegram", "allow", "8")
    assert ran.code == 0
    assert "8 may write to the bot now." in ran.out
    assert "The hub does not know it yet (no route to it)" in ran.out
    assert "no route to it" in desk("api", "access", "telegram", "--json", "allow", "9").json["hub_problem"]


def test_a_copy_of_a_project_is_another_one(desk: Desk) -> None:
    """Adopted beside the project that it is a copy of, it gets none of its messages; a folder that moved stays."""
    api = desk.joined("api")
    shutil.copytree(desk.folder / "api", desk.folder / "copy")
    ran = desk("copy", "trust", "--yes")
    assert ran.code == 0, ran.err
    assert re.search(r"a copy of .*/api/state/telegram", ran.out)
    assert desk.joined("copy") != api
    assert desk.members() == {"api", "copy"}
    backup = str(desk.folder / "api.backup")
    assert desk("api", "backup", backup).code == 0
    for name, is_copy in (("api", False), ("other", True)):
        ran = desk(name, "restore", backup, "--yes")
        assert ran.code == 0, ran.err
        assert ("a copy of" in ran.out, desk.joined(name) != api) == (is_copy, is_copy)
    (desk.folder / "api").rename(desk.folder / "moved")
    ran = desk("moved", "trust", "--yes")
    assert ran.code == 0, ran.err
    assert "a copy of" not in ran.out
    assert desk.joined("moved") == api


def test_a_copy_on_another_machine_joins_as_another_one(desk: Desk) -> None:
    """Where its original cannot be seen it is said at the terminal; what is refused changes nothing."""
    api, again = desk.joined("api"), ("hub", "join", "telegram", desk.hub.text, "--as-new")
    desk.joined("web")
    lock = ReaderLock("telegram", BOT_ID, desk.state("api"), shared=True)
    assert lock.claim()
    ran = desk("api", *again)
    assert (ran.code, "end it, and run this again" in ran.err) == (1, True)
    lock.release()
    assert desk("api", *again, "--name", "web").code == 1
    assert desk.joined("api") == api
    found = LocalProjects([channel("telegram")], {})
    assert api in {project.project for project in found.find()[0]}
    assert desk("api", *again).code == 0
    new = desk.joined("api")
    assert new != api
    assert desk.members() == {"api", "api-2", "web"}
    # As a keeper knows it that runs all the while.
    assert {api, new} & {project.project for project in found.find()[0]} == {new}


def test_a_session_on_another_machine_speaks_for_itself(desk: Desk) -> None:
    """Whom a copy of its state folder lets in is not said in its name, nor that no session works."""
    desk.joined("api")
    desk.hub.execute(f"UPDATE members SET session_state = 'idle', domain = 'elsewhere', seen_at = {time.time() + 3600}")
    before = desk.people("api")
    assert desk("api", "access", "telegram", "allow", "7").code == 0
    assert desk.people("api") == before
    assert desk.hub.execute("SELECT session_state FROM members") == [("idle",)]


def test_a_name_goes_before_another_project_s_id(desk: Desk) -> None:
    """A project that is called as another one's id can be named still."""
    api = desk.joined("api")
    assert desk("web", "hub", "join", "telegram", desk.hub.text, "--name", api).code == 0
    ran = desk("web", "hub", "route", "add", "telegram", api, "--default", "--json")
    assert ran.json["name"] == api
    assert ran.json["project"] != api


def test_a_thread_is_named_as_its_platform_has_it(desk: Desk) -> None:
    """A route that could match nothing is refused."""
    desk.joined("api")
    ran = desk("api", "hub", "route", "add", "telegram", "api", "--thread", "5")
    assert (ran.code, "--chat ID --thread 5" in ran.err) == (2, True)
    ran = desk("api", "hub", "route", "add", "telegram", "api", "--chat", "-100", "--thread", "5", "--json")
    assert ran.json["key"] == "-100/5"
