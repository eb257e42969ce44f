"""`channels sandbox`: the platforms on loopback, the channel servers, a scripted agent, and the chat page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ChannelError, StoreError
from agent_channels.page.server import PageServer
from agent_channels.page.serving import end_on_signals, say, show, start
from agent_channels.sandbox.agent.processes import program
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.feed import SceneFeed
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.routes import ScenePaths
from agent_channels.sandbox.page.scene import CHANNELS, Scene

__all__ = ["BOT_API", "Page", "open_page", "run"]

# The newest version that the Telegram server knows.
BOT_API = "10.5"
INDEX = "sandbox.html"
# As long as servers may take to start on a busy machine.
JOIN_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Page:
    """The running page; `servers` is empty without the scripted agent."""

    scene: Scene
    server: PageServer
    servers: Mapping[str, ChannelServer]

    @property
    def url(self) -> str:
        """The address of the page, secret included."""
        return self.server.url


@contextlib.asynccontextmanager
async def open_page(
    port: int, *, scripted: bool, bot_api: str = BOT_API, projects: int = 1, channels: Sequence[str] = CHANNELS
) -> AsyncIterator[Page]:
    """Run the page, with channel servers and the agent if `scripted`; leaving the block ends and removes everything.

    `bot_api`: the version of the Bot API that the Telegram server speaks, such as "10.0". `projects`: how many of
    them share the bot, each with a server and an agent of its own. `channels`: those that are played.

    Raises `ChannelError` when the port is taken or a channel server does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        temp = stack.enter_context(tempfile.TemporaryDirectory(prefix="channels-sandbox-", ignore_cleanup_errors=True))
        scene = Scene(Path(temp), bot_api, projects, channels)
        stack.push_async_callback(scene.aclose)
        await scene.start()
        servers: dict[str, ChannelServer] = {}
        if scripted:
            servers = {one.key: ChannelServer(one, scene.folder, scene.settings(one)) for one in scene.servers}
        lifecycles = MessageLifecycles(scene, lambda key, at: servers[key].pid_at(at) if key in servers else None)
        stack.callback(lifecycles.close)
        feed = SceneFeed(scene, lifecycles, servers)
        paths = ScenePaths(scene, PageActions(scene, lifecycles), servers)
        ended = "this page belongs to a sandbox that has ended"
        server = PageServer(INDEX, scene.secret, port, feed, gets=paths.gets(), posts=paths.posts(), ended=ended)
        stack.push_async_callback(server.aclose)
        await start(server, "the sandbox")
        for channel_server in servers.values():
            stack.push_async_callback(channel_server.close)
        feeding = asyncio.create_task(feed.run())
        stack.push_async_callback(_cancel, feeding)
        await asyncio.gather(*(channel_server.start() for channel_server in servers.values()))
        if servers:
            await _until_joined(lifecycles)
        yield Page(scene, server, servers)


async def _until_joined(lifecycles: MessageLifecycles) -> None:
    """Wait until people can write to every project. Raises `ChannelError`."""
    for _ in range(int(JOIN_WITHIN_S / LOOK_EVERY_S)):
        with contextlib.suppress(StoreError):
            if lifecycles.all_joined():
                return
        await asyncio.sleep(LOOK_EVERY_S)
    raise ChannelError(f"the projects did not join their hub within {JOIN_WITHIN_S:.0f} s")


def run(
    *,
    port: int,
    browser: bool,
    scripted: bool,
    bot_api: str,
    projects: int = 1,
    channels: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """Keep the page up until it is interrupted; return exit code 0. Raises `ChannelError` when it cannot start.

    `channels`: those that are played, all if it is empty. `as_json`: all that is printed is one object with the
    addresses, once they can be used.
    """
    try:
        opened = open_page(port, scripted=scripted, bot_api=bot_api, projects=projects, channels=channels or CHANNELS)
        asyncio.run(_run(opened, browser=browser, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not as_json:
            say("\nStopped: everything it started has ended, and its folder is gone.")
    return 0


async def _run(opened: AbstractAsyncContextManager[Page], *, browser: bool, as_json: bool) -> None:
    end_on_signals()
    if sys.stdout.isatty() and not as_json:
        say("Starting …")
    async with opened as page:
        if as_json:
            servers = {} if page.scene.is_shared else _mcp_servers(page.scene)
            say(json.dumps({"ok": True, "url": page.url, **servers}))
        else:
            _say_addresses(page)
        if browser:
            await show(page.url, page.scene.folder, quiet=as_json)
        await asyncio.get_running_loop().create_future()


def _say_addresses(page: Page) -> None:
    say(f"The chat page: {page.url}")
    if page.servers:
        for server in page.servers.values():
            of = f" in project {server.project}" if server.project else ""
            say(f"  channels serve {server.channel}{of}: process {server.as_dict()['pid']}, with a scripted agent")
    else:
        say("Attach your agent host: put this into its .mcp.json, then start it as a channel.")
        say(json.dumps(_mcp_servers(page.scene), indent=2))
        say(
            "claude --dangerously-load-development-channels "
            + " ".join(f"server:{one.channel}" for one in page.scene.servers)
        )
    say("Ctrl-C ends all of it.")


def _mcp_servers(scene: Scene) -> dict[str, Any]:
    """Return what a `.mcp.json` holds that attaches an agent host to the sandbox."""
    command, *first = program()
    entries = {
        one.channel: {"command": command, "args": [*first, "serve", one.channel], "env": scene.settings(one)}
        for one in scene.servers
    }
    return {"mcpServers": entries}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
