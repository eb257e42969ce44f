"""Kimi Code with a scripted model: what comes while its turn ends is handed over, once in a turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.install import add_to_file
from agent_channels.core.settings.config import Environment
from agent_hosts import HOSTS, Room, handed_on
from agents import running
from harness import COMMAND, Stage
from host_waits import answered, stop_waits
from inbox_socket import blocks_in
from openai_model import OpenAIModel
from scripted_model import Asked, say, use

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


async def test_a_turns_end_hands_over_what_comes(stage: Stage) -> None:
    """-p: the hook at the turn's end waits, and hands the message over; the turn goes on for it, and then ends."""
    stage.config(grace_s=0, stop_wait_s=120)
    ann = stage.person()
    handed: list[str] = []

    async def working(asked: Asked) -> list[dict[str, Any]]:
        found = blocks_in(asked.latest)
        if not found and not handed:
            # No model is so quick that it ends its turn before the server has started.
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        handed.extend(block.content for block in found)
        reply = next((name for name in asked.tools if name.endswith("telegram__reply")), "")
        return [use(reply, chat_id=b.meta["chat_id"], text=f"got {b.content}") for b in found] or [say("done")]

    host, home = HOSTS["kimi"], stage.folder / "host-home"
    home.mkdir()
    given = handed_on(stage.env)
    token = {"TELEGRAM_BOT_TOKEN": stage.tg.token, "TELEGRAM_API_ROOT": stage.tg.root}
    server = {"command": COMMAND[0], "args": [COMMAND[1], "serve", "telegram"], "env": {**given, **token}}
    async with OpenAIModel(working) as model:
        launch = host.started(Room(host.program(), home, stage.project, {"telegram": server}, model, "Be there."))
        files = AGENT_HOSTS["kimi"].files
        assert files is not None
        environ = {**stage.env, "KIMI_CODE_HOME": launch.env["KIMI_CODE_HOME"]}
        _, hooks = files([Environment("telegram", environ)])
        add_to_file(hooks, stage.env)
        log = stage.folder / "kimi.log"
        async with running(launch.command, {**launch.env, **given}, stage.project, log) as process:
            await stop_waits(stage, 60)
            ann.send("one.")
            assert (await ann.next_message(60))["text"] == "got one."
            assert await asyncio.wait_for(process.wait(), 60) == 0, log.read_text()
        assert model.failed == []
    assert handed == ["one."]
    await answered(stage, 1)
