"""Set-up at a terminal: from a token to the first tap, interrupted anywhere, and what goes wrong on the way."""

from __future__ import annotations

import re
import shutil

import pytest

from harness import COMMAND, Stage
from terminal import Terminal

pytestmark = pytest.mark.cold


@pytest.fixture
def empty(stage: Stage) -> Stage:
    """An empty project: nothing in the environment names a state folder or a token."""
    shutil.rmtree(stage.state)
    for name in ("TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN", "CHANNELS_CLAIM"):
        del stage.env[name]
    stage.state = stage.project / "state" / "telegram"
    return stage


def setup(stage: Stage, *words: str) -> Terminal:
    return Terminal([*COMMAND, "setup", *(words or ("telegram",))], cwd=stage.project, env=stage.env)


async def to_the_link(terminal: Terminal, token: str) -> str:
    """Answers every question with Return; the code of the invitation."""
    await terminal.answer("not shown", token)
    for question in (".mcp.json", "settings.local.json", "skills"):
        await terminal.until(question)
        await terminal.answer("] ", "")
    shown = await terminal.until("Waiting for your tap in Telegram")
    found = re.search(r"start=(\w+)", shown)
    assert found is not None, shown
    return found[1]


async def test_from_nothing_to_the_first_tap(empty: Stage) -> None:
    """Token, files, skills, Start, approver, two buttons, tap: then it ends, and a second run sends nothing."""
    ann = empty.tg.person("ann", first_name="Ann")
    async with setup(empty) as terminal:
        code = await to_the_link(terminal, empty.tg.token)
        assert "█" in terminal.shown or "▀" in terminal.shown
        ann.start(code)
        assert "Paired" in (await ann.next_message())["text"]
        await terminal.answer("asks permission for? [Y/n] ", "")
        message = await ann.next_message()
        assert "project project" in message["text"]
        (row,) = message["reply_markup"]["inline_keyboard"]
        assert [button["text"] for button in row] == ["It works", "Something is wrong"]
        await terminal.until("Waiting for the tap")
        ann.tap(message["message_id"], label="It works")
        await terminal.until("the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
        assert "channels launch telegram" in terminal.shown
    print(terminal.shown)
