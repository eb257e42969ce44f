"""Three projects on one bot: each message in the right project's session alone, whatever it takes to find out which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Stage
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


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons."""
    return [key["text"] for row in message.get("reply_markup", {}).get("inline_keyboard", []) for key in row]


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
