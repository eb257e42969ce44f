"""`channels sandbox`: both platforms on loopback, the channel servers, a scripted agent, and the chat page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.agent.processes import end_on_signals, program
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.feed import PageFeed
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.scene import CHANNELS, Scene
from agent_channels.sandbox.page.server import PageServer

__all__ = ["BOT_API", "Page", "open_page", "opener", "run"]

# The newest version that the Telegram server knows.
BOT_API = "10.5"


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
async def open_page(port: int, *, scripted: bool, bot_api: str = BOT_API) -> AsyncIterator[Page]:
    """Run the page, with channel servers and the agent if `scripted`; leaving the block ends and removes everything.

    `bot_api`: the version of the Bot API that the Telegram server speaks, such as "10.0".

    Raises `ChannelError` when the port is taken or a channel server does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        temp = stack.enter_context(tempfile.TemporaryDirectory(prefix="channels-sandbox-", ignore_cleanup_errors=True))
        scene = Scene(Path(temp), bot_api)
        stack.push_async_callback(scene.aclose)
        await scene.start()
        servers: dict[str, ChannelServer] = {}
        if scripted:
            servers = {channel: ChannelServer(channel, scene.folder, scene.settings(channel)) for channel in CHANNELS}
        lifecycles = MessageLifecycles(
            scene, lambda channel, at: servers[channel].pid_at(at) if channel in servers else None
        )
        stack.callback(lifecycles.close)
        feed = PageFeed(scene, lifecycles, servers)
        server = PageServer(scene, PageActions(scene, lifecycles), feed, servers, port)
        stack.push_async_callback(server.aclose)
        try:
            await server.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            msg = f"the sandbox cannot listen on port {port} ({reason}); name another with --port, or 0 for a free one"
            raise ChannelError(msg) from error
        for channel_server in servers.values():
            stack.push_async_callback(channel_server.close)
        feeding = asyncio.create_task(feed.run())
        stack.push_async_callback(_cancel, feeding)
        await asyncio.gather(*(channel_server.start() for channel_server in servers.values()))
        yield Page(scene, server, servers)


def run(*, port: int, browser: bool, scripted: bool, bot_api: str, as_json: bool = False) -> int:
    """Keep the page up until it is interrupted; return exit code 0. Raises `ChannelError` when it cannot start.

    `as_json`: all that is printed is one object with the addresses, once they can be used.
    """
    try:
        asyncio.run(_run(port=port, browser=browser, scripted=scripted, bot_api=bot_api, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not as_json:
            _print("\nStopped: everything it started has ended, and its folder is gone.")
    return 0


async def _run(*, port: int, browser: bool, scripted: bool, bot_api: str = BOT_API, as_json: bool = False) -> None:
    end_on_signals()
    if sys.stdout.isatty() and not as_json:
        _print("Starting …")
    async with open_page(port, scripted=scripted, bot_api=bot_api) as page:
        if as_json:
            _print(json.dumps({"ok": True, "url": page.url, **_mcp_servers(page.scene)}))
        else:
            _print_addresses(page, browser=browser)
        if browser and _has_display():
            await asyncio.to_thread(webbrowser.open, opener(page))
        await asyncio.get_running_loop().create_future()


def _print_addresses(page: Page, *, browser: bool) -> None:
    _print(f"The chat page: {page.url}")
    if page.servers:
        for channel, server in page.servers.items():
            _print(f"  channels serve {channel}: process {server.as_dict()['pid']}, with a scripted agent")
    else:
        _print("Attach your agent host: put this into its .mcp.json, then start it as a channel.")
        _print(json.dumps(_mcp_servers(page.scene), indent=2))
        _print("claude --dangerously-load-development-channels server:telegram server:discord")
    _print("Ctrl-C ends all of it.")
    if browser and not _has_display():
        _print("No browser was opened: there is no screen here. Open the address above in one on this machine.")
    elif browser:
        _print("It opens in your browser. If it does not, open the address above.")


def opener(page: Page) -> str:
    """Return the address of a private file that leads to the page: other users can read a browser's command line."""
    file = page.scene.folder / "open.html"
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={page.url}">', encoding="utf-8")
    return file.as_uri()


def _mcp_servers(scene: Scene) -> dict[str, Any]:
    """Return what a `.mcp.json` holds that attaches an agent host to the sandbox."""
    command, *first = program()
    entries = {
        channel: {"command": command, "args": [*first, "serve", channel], "env": scene.settings(channel)}
        for channel in CHANNELS
    }
    return {"mcpServers": entries}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _has_display() -> bool:
    """Return True if a browser can open a window; without one, a text browser would take over this terminal."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
