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
from pathlib import Path

from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.agent.signals import end_on_signals
from agent_channels.sandbox.demo.stage import program
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.feed import Feed
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.scene import Scene
from agent_channels.sandbox.page.server import PageServer

__all__ = ["Page", "attachment", "opened", "perform"]


class Page:
    """Everything behind the page while it is up."""

    def __init__(self, scene: Scene, server: PageServer, lines: Mapping[str, ChannelServer]) -> None:
        self.scene, self.server, self.lines = scene, server, lines

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.server.url


@contextlib.asynccontextmanager
async def opened(port: int, *, scripted: bool) -> AsyncIterator[Page]:
    """The page, up. `scripted`: with channel servers and the scripted agent. Leaving the block ends and removes it all.

    Raises `ChannelError` when the port is taken or a channel server does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        temp = stack.enter_context(tempfile.TemporaryDirectory(prefix="channels-sandbox-", ignore_cleanup_errors=True))
        scene = Scene(Path(temp))
        stack.push_async_callback(scene.aclose)
        await scene.start()
        lines: dict[str, ChannelServer] = {}
        if scripted:
            lines = {name: ChannelServer(name, scene.folder, scene.settings(name)) for name in scene.channels}
        life = MessageLifecycles(scene, lambda channel, at: lines[channel].pid_at(at) if channel in lines else None)
        stack.callback(life.close)
        feed = Feed(scene, life, lines)
        server = PageServer(scene, PageActions(scene, life), feed, lines, port)
        stack.push_async_callback(server.aclose)
        try:
            await server.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            msg = f"the sandbox cannot listen on port {port} ({reason}); name another with --port, or 0 for a free one"
            raise ChannelError(msg) from error
        for line in lines.values():
            stack.push_async_callback(line.close)
        looking = asyncio.create_task(feed.run())
        stack.push_async_callback(_ended, looking)
        await asyncio.gather(*(line.start() for line in lines.values()))
        yield Page(scene, server, lines)


def perform(*, port: int, browser: bool, scripted: bool) -> int:
    """Keeps the page up until it is interrupted; 0. Raises `ChannelError` when it cannot be."""
    try:
        asyncio.run(_perform(port=port, browser=browser, scripted=scripted))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("\nStopped: everything it started has ended, and its folder is gone.")
    return 0


async def _perform(*, port: int, browser: bool, scripted: bool) -> None:
    end_on_signals()
    async with opened(port, scripted=scripted) as page:
        _say(f"The chat page: {page.url}")
        if scripted:
            for name, line in page.lines.items():
                _say(f"  channels serve {name}: process {line.shown()['pid']}, with a scripted agent in front of it")
        else:
            _say("Attach your agent host: put this into its .mcp.json, then start it as a channel.")
            _say(attachment(page.scene))
            _say("claude --dangerously-load-development-channels server:telegram server:discord")
        _say("Ctrl-C ends all of it.")
        if browser and _has_display():
            await asyncio.to_thread(webbrowser.open, page.url)
        await asyncio.get_running_loop().create_future()


def attachment(scene: Scene) -> str:
    """The `.mcp.json` that attaches an agent host to the sandbox."""
    command, *first = program()
    entries = {
        name: {"command": command, "args": [*first, "serve", name], "env": scene.settings(name)}
        for name in scene.channels
    }
    return json.dumps({"mcpServers": entries}, indent=2)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _has_display() -> bool:
    """Whether a browser has somewhere to appear: one that draws in the terminal would take this one over."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
