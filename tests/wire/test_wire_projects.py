"""Three projects on one bot: each message in the right project's session alone, whatever it takes to find out which."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, DiscordStage, Stage
from projects import Projects

NAMES = ("api", "docs", "web")


@pytest.fixture
async def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Projects[Stage]]:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    async with TelegramSandbox(TOKEN) as tg:
        stages = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            stages[name] = Stage(tg, tmp_path / name)
        async with Projects(stages, tmp_path) as made:
            yield made
        for stage in stages.values():
            assert stage.impure() == []
            assert tg.token not in stage.everything_said()


@pytest.fixture
async def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Projects[DiscordStage]]:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    async with DiscordSandbox() as dc:
        stages = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            stages[name] = DiscordStage(dc, tmp_path / name)
        async with Projects(stages, tmp_path) as made:
            yield made
        for stage in stages.values():
            assert stage.impure() == []
            assert dc.token not in stage.everything_said()


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons."""
    return [key["text"] for row in message.get("reply_markup", {}).get("inline_keyboard", []) for key in row]


def written(hub: Path, statement: str) -> int:
    """Executes a statement beside the servers; returns how many rows it changed."""
    with contextlib.closing(sqlite3.connect(hub, isolation_level=None, timeout=10)) as db:
        return db.execute(statement).rowcount


async def test_each_message_reaches_the_right_project_only(projects: Projects[Stage]) -> None:
    """Asked once, of those that let her in; kept until she chose; then by what she replies to and by what she chose."""
    tg = projects["api"].tg
    ann, bob = tg.person("ann"), tg.person("bob")
    for name in ("api", "web"):
        projects.let_in(name, ann.id)
    projects.let_in("docs", bob.id)
    for person in (ann, bob):
        person.dm.started = True
    await projects.start()
    ann.send("first")
    question = await ann.next_message()
    assert labels(question) == ["api", "web"]
    ann.send("second")
    bob.send("for docs")
    assert (await projects.hosts["docs"].event()).content == "for docs"
    assert projects.heard() == {"api": [], "docs": ["for docs"], "web": []}
    ann.tap(question["message_id"], label="web")
    assert [event.content for event in await projects.hosts["web"].take(2)] == ["first", "second"]
    ann.send("third")
    assert (await projects.hosts["web"].event()).content == "third"
    await projects.hosts["api"].done("reply", chat_id=str(ann.id), text="api asks", buttons=[["Yes", "No"]])
    asked = await ann.next_message()
    assert asked["text"] == "api asks"
    ann.tap(asked["message_id"], label="Yes")
    assert (await projects.hosts["api"].event()).meta["button_label"] == "Yes"
    ann.send("to api", reply_to=asked["message_id"])
    assert (await projects.hosts["api"].event()).content == "to api"
    assert projects.heard() == {"api": ["Yes", "to api"], "docs": ["for docs"], "web": ["first", "second", "third"]}
    menu = await tg.wait_for(lambda: tg.state.commands.get(("default", "")))
    assert {"projects", "new", "here"} < {entry["command"] for entry in menu}
    ann.send("/help")
    assert "/projects – your projects" in (await ann.next_message())["text"]


async def test_each_message_reaches_the_right_project_only_elsewhere(elsewhere: Projects[DiscordStage]) -> None:
    """The same on Discord: one gateway connection for all; a thread of each project, and her direct chat."""
    dc = elsewhere["api"].dc
    ann = dc.person("ann")
    ann.dm.started = True
    room = dc.guild("Team", members=[ann]).channel("work")
    for name in NAMES:
        elsewhere.let_in(name, ann.id, approver=True)
        elsewhere.enable(name, room.id)
    await elsewhere.start()
    await elsewhere.read()
    assert len(dc.identifies) == 1
    threads = {}
    for name in NAMES:
        threads[name] = room.thread(name, by=ann)
        ran = await elsewhere["api"].cli("hub", "route", "add", "discord", "--thread", str(threads[name].id), name)
        assert ran.code == 0, ran.err
    for name in NAMES:
        ann.send(f"<@{dc.bot_id}> for {name}", channel=threads[name])
        assert (await elsewhere.hosts[name].event()).content == f"@{dc.username} for {name}"
    ann.send("which?")
    question = await ann.next_message()
    ann.tap(question["id"], label="docs")
    assert (await elsewhere.hosts["docs"].event()).content == "which?"
    await elsewhere.hosts["web"].done("reply", chat_id=str(ann.id), text="web asks", buttons=[["Yes"]])
    asked = await ann.next_message()
    ann.tap(asked["id"], label="Yes")
    assert (await elsewhere.hosts["web"].event()).meta["button_label"] == "Yes"
    assert elsewhere.heard() == {
        "api": [f"@{dc.username} for api"],
        "docs": [f"@{dc.username} for docs", "which?"],
        "web": [f"@{dc.username} for web", "Yes"],
    }


async def test_routes_are_made_and_shown_at_the_terminal(projects: Projects[Stage]) -> None:
    """By name, the most specific first; what is no route, or no project, is refused with what there is."""
    api = projects["api"]
    for name in NAMES:
        assert (await projects[name].cli("hub", "join", "telegram")).code == 0
    route = ("hub", "route")
    assert "No routes" in (await api.cli(*route, "list", "telegram")).out
    for option, project in (
        (("--default",), "docs"),
        (("--person", "7"), "WEB"),
        (("--chat", "-100"), "web"),
        (("--chat", "-100", "--thread", "5"), "api"),
    ):
        ran = await api.cli(*route, "add", "telegram", *option, project)
        assert ran.code == 0, ran.err
    shown = (await api.cli(*route, "list", "telegram", "--json")).json["routes"]
    assert [(one["kind"], one["key"], one["name"]) for one in shown] == [
        ("thread", "-100/5", "api"),
        ("chat", "-100", "web"),
        ("person", "7", "web"),
        ("default", "", "docs"),
    ]
    assert {one["made_by"] for one in shown} == {"operator"}
    lines = (await api.cli(*route, "list", "telegram")).out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("api ")
    assert "thread -100/5" in lines[0]
    assert (await api.cli(*route, "rm", "telegram", "--person", "7")).out.strip() == "Removed: person 7."
    ran = await api.cli(*route, "rm", "telegram", "--person", "7")
    assert (ran.code, "no route for person 7" in ran.err) == (1, True)
    ran = await api.cli(*route, "add", "telegram", "--person", "7", "shop")
    assert (ran.code, "there are: api, docs, web" in ran.err) == (1, True)
    ran = await api.cli(*route, "add", "telegram", "--person", "7", "--default", "api")
    assert (ran.code, "name one of" in ran.err) == (2, True)
    ran = await api.cli(*route, "add", "telegram", "--thread", "99", "api")
    assert (ran.code, "a thread is named with its chat" in ran.err) == (2, True)


async def test_an_invitation_leads_to_the_project_that_made_it(projects: Projects[Stage]) -> None:
    """A stranger's Start, with several projects and no default one; and somebody's who is in another project."""
    tg = projects["api"].tg
    ann, bob = tg.person("ann"), tg.person("bob")
    projects.let_in("api", ann.id)
    await projects.start()
    await projects.read()
    for person in (bob, ann):
        made = (await projects["web"].access("invite", "--json")).json
        person.start(made["link"].partition("start=")[2])
        assert "Paired" in (await person.next_message())["text"]
    bob.send("hello")
    assert (await projects.hosts["web"].event()).content == "hello"
    assert projects.heard() == {"api": [], "docs": [], "web": ["hello"]}


async def test_what_waited_for_a_project_comes_late_and_marked(projects: Projects[Stage], tmp_path: Path) -> None:
    """Its session ended: she is told once; when it is back everything comes in order, with `late`."""
    tg = projects["api"].tg
    ann = tg.person("ann")
    ann.dm.started = True
    projects.let_in("web", ann.id)
    await projects.start()
    await projects.read()
    await projects.hosts["web"].close()
    hub = tmp_path / "data" / "hub" / f"telegram-{tg.bot_id}.db"
    # Its last word may not have come through on a busy machine.
    written(hub, "UPDATE members SET session_state = 'none' WHERE name = 'web'")
    ann.send("one")
    ann.send("two")
    assert "saved for web, where no session is running" in (await ann.next_message())["text"]
    # As if they had waited for an hour.
    assert written(hub, "UPDATE events SET received_at = received_at - 3600 WHERE state = 'waiting'") == 2
    projects.hosts.pop("web")
    await projects.start("web")
    ann.send("three")
    events = await projects.hosts["web"].take(3)
    assert [(event.content, event.meta.get("late")) for event in events] == [
        ("one", "true"), ("two", "true"), ("three", None)
    ]  # fmt: skip
    assert len(ann.inbox) == 1
