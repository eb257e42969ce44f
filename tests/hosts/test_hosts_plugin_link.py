"""A host's plugin of ours holds the session's socket: it tells the server what a turn does, and interrupts it."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import Stage
from inbox_socket import InboxSocket
from wire_host import eventually

TOKEN = "a-token-of-the-plugin"


class Plugin(InboxSocket):
    """A stand-in for the plugin: it takes posts, as an inbox socket does, and calls hooks by the same socket."""

    calls = itertools.count(1)

    def lines(self, kind: str) -> list[dict[str, Any]]:
        """Every line of this kind that came by any connection."""
        return [line for lines in self.connections for line in lines if line.get("type") == kind]

    async def hook(self, event: str, **fields: str) -> dict[str, Any]:
        """Tell the server of an event, by its newest connection; return its answer."""
        number = next(self.calls)
        (at, *_) = [
            index
            for index, lines in reversed(list(enumerate(self.connections)))
            if any(line.get("type") == "server" for line in lines)
        ]
        call = {"type": "hook", "id": number, "arguments": {"event": event, **fields}}
        self.writers[at].write(json.dumps(call).encode() + b"\n")
        await self.wait_for(lambda: any(line["id"] == number for line in self.lines("answer")))
        (answer,) = [line["answer"] for line in self.lines("answer") if line["id"] == number]
        return dict(answer)


@pytest.fixture
async def plugin(stage: Stage, sockets: Path) -> AsyncIterator[Plugin]:
    """The plugin of the stage's host."""
    async with Plugin(sockets / "host.sock") as made:
        stage.env |= {"CHANNELS_HOST_SOCKET": str(made.path), "CHANNELS_HOST_TOKEN": TOKEN}
        # A host that was started in another one's session inherited that one's variables.
        stage.env |= {"CLAUDE_CODE_MESSAGING_SOCKET": str(sockets / "another.sock")}
        yield made


async def reads(stage: Stage) -> None:
    """A host with the plugin starts the server, which reads the bot."""
    host = await stage.start()
    host.client = "opencode"
    await host.attach()
    await stage.tg.wait_for(lambda: stage.tg.polling)


async def connected(plugin: Plugin, times: int = 1) -> None:
    """Wait until the server said who it is."""
    await plugin.wait_for(lambda: len(plugin.lines("server")) >= times)


async def test_a_turn_is_told_and_stopped_by_the_plugins_socket(stage: Stage, plugin: Plugin) -> None:
    """/stop reaches the plugin at once; the chat is told; what the turn still begins is denied, a new one is not."""
    ann = stage.person()
    await reads(stage)
    await connected(plugin)
    assert all(lines[0] == {"type": "auth", "token": TOKEN} for lines in plugin.connections)
    assert plugin.lines("server") == [{"type": "server", "name": "telegram"}]
    ann.send("build it")
    block = await plugin.block()
    assert block.content == "build it"
    posted = plugin.posts[0]["message"]["content"]
    assert await plugin.hook("UserPromptSubmit", turn="msg_1", prompt=f"Messages came in.\n{posted}") == {}
    assert await plugin.hook("PreToolUse", turn="msg_1", tool="Bash", call="call_1", subject="sleep 60") == {}
    with Store.open(stage.state) as store:
        turns = Services.of(store).turns
        (turn,) = turns.running()
        assert [place.chat_id for place in turn.places] == [str(ann.id)]
        await eventually(lambda: turns.running()[0].detail.steps == 1, "the step")
    assert plugin.lines("stop") == []
    ann.send("/stop")
    await plugin.wait_for(lambda: plugin.lines("stop") == [{"type": "stop"}])
    await stage.tg.wait_for(lambda: any("Stopped by" in m["text"] for m in ann.messages()), 10)
    denied = await plugin.hook("PreToolUse", turn="msg_1", tool="Bash", call="call_2", subject="rm it")
    assert denied["continue"] is False
    assert await plugin.hook("UserPromptSubmit", turn="msg_2", prompt="go on") == {}
    assert await plugin.hook("PreToolUse", turn="msg_2", tool="Bash", call="call_3", subject="ls") == {}
    assert len(plugin.lines("stop")) == 1


async def test_a_connection_that_ends_is_made_again(stage: Stage, plugin: Plugin) -> None:
    """After a cut, and after a line that is not JSON, the server connects again and answers as before."""
    stage.person()
    await reads(stage)
    await connected(plugin)
    plugin.cut()
    await connected(plugin, 2)
    assert await plugin.hook("UserPromptSubmit", turn="msg_1", prompt="go on") == {}
    plugin.writers[-1].write(b"not JSON\n")
    await connected(plugin, 3)
    assert await plugin.hook("PreToolUse", turn="msg_1", tool="Bash", subject="ls") == {}
    # What names no event that is known has no effect.
    assert await plugin.hook("Whatever") == {}
