"""What the chat page shows of the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

from agent_channels.core.errors import StoreError
from agent_channels.page.feed import PageFeed
from agent_channels.sandbox.page import discord_view, slack_view, telegram_view
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.scene import CHANNELS, Scene, SceneChat

__all__ = ["SceneFeed"]

# Another process's commits send no signal, so the stores are polled.
POLL_EVERY_S = 0.05
# The typing indicator ends by time alone.
REFRESH_EVERY_S = 1.0


class SceneFeed(PageFeed):
    """The parts: `setting`, `servers`, `life`, and `chat:KEY` for every chat."""

    def __init__(self, scene: Scene, lifecycles: MessageLifecycles, servers: Mapping[str, ChannelServer]) -> None:
        """`servers` is empty when the user starts the channel servers."""
        super().__init__()
        self._scene, self._lifecycles, self._servers = scene, lifecycles, servers
        self._versions: tuple[Any, ...] = ()
        self._refreshed_at = 0.0

    async def run(self) -> None:
        """Look for changes until cancelled, while there are listeners."""
        while True:
            await asyncio.sleep(POLL_EVERY_S)
            if not self.listening:
                continue
            # A busy store is read again at the next turn.
            with contextlib.suppress(StoreError):
                self.refresh()

    def refresh(self) -> None:
        """Look at the platforms and the stores."""
        servers = {key: self._server(key, server) for key, server in self._servers.items()}
        platforms = tuple(one.state.changes for one in (self._scene.tg, self._scene.dc, self._scene.slack))
        versions = (platforms, servers, self._lifecycles.version(), self._lifecycles.recorded)
        if versions == self._versions and time.monotonic() - self._refreshed_at < REFRESH_EVERY_S:
            return
        self._versions, self._refreshed_at = versions, time.monotonic()
        self.publish(
            {
                "setting": self._setting(),
                "servers": servers,
                "life": self._lifecycles.as_list(),
                **{f"chat:{chat.key}": self._chat(chat) for chat in self._scene.chats},
            }
        )

    def _server(self, key: str, server: ChannelServer) -> dict[str, Any]:
        shown = server.as_dict()
        # Of several agents it is said what each does; one alone is seen in its chat.
        return {**shown, "works": self._lifecycles.works(key)} if server.project else shown

    def _setting(self) -> dict[str, Any]:
        scene = self._scene
        bots = {"telegram": scene.tg.username, "discord": scene.dc.username, "slack": scene.slack.username}
        paired = {channel: self._lifecycles.paired(channel) for channel in CHANNELS}
        chats = [
            {
                "key": chat.key,
                "platform": chat.platform,
                "title": chat.title,
                "about": "paired just now" if chat.stranger and chat.chat_id in paired[chat.platform] else chat.about,
                "actors": [{"handle": handle, "name": handle.title()} for handle in chat.actors],
                "group": chat.group,
                "topics": "messages" if chat.platform == "telegram" else "threads",
                "bot": bots[chat.platform],
                # Its clients send a name that somebody types as the id.
                "botId": str(scene.dc.bot_id) if chat.platform == "discord" else "",
            }
            for chat in scene.chats
        ]
        projects = [server.project for server in scene.servers if server.project]
        return {"chats": chats, "scripted": bool(self._servers), "projects": projects}

    def _chat(self, chat: SceneChat) -> dict[str, Any]:
        if chat.platform == "discord":
            return discord_view.chat_view(self._scene.dc, chat)
        if chat.platform == "slack":
            return slack_view.chat_view(self._scene.slack, chat)
        view = telegram_view.chat_view(self._scene.tg, chat)
        if chat.stranger and chat.chat_id not in self._lifecycles.paired("telegram"):
            codes = [message["code"] for message in view["messages"] if message.get("code")]
            view["code"] = codes[-1] if codes else None
        return view
