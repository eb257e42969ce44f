"""What the chat page shows, as named parts of JSON; who listens is told of each part that has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from agent_channels.core.errors import StoreError
from agent_channels.sandbox.page import discord_view as page_discord
from agent_channels.sandbox.page import telegram_view as page_telegram
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.scene import Scene, SceneChat

__all__ = ["Feed"]

# How soon the page shows what a channel server wrote: another process's commits cannot be waited for.
LOOK_EVERY_S = 0.05
# Typing ends by time alone.
AT_LEAST_EVERY_S = 1.0


class Feed:
    """The parts: `setting`, `servers`, `life`, and `chat:KEY` for every chat."""

    def __init__(self, scene: Scene, life: MessageLifecycles, lines: Mapping[str, ChannelServer]) -> None:
        """`lines` is empty when the channel servers are somebody else's."""
        self._scene, self._life, self._lines = scene, life, lines
        self._listeners: set[asyncio.Queue[dict[str, str]]] = set()
        self._parts: dict[str, str] = {}
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0

    async def listen(self) -> AsyncGenerator[dict[str, str], None]:
        """Every part as it is now, then whatever changes: {name: JSON}."""
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._look()
        queue.put_nowait(dict(self._parts))
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def run(self) -> None:
        """Looks for changes until cancelled; only while somebody listens."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._listeners:
                continue
            # A store that is busy for a moment is looked at again.
            with contextlib.suppress(StoreError):
                changed = self._look()
                for queue in self._listeners if changed else ():
                    queue.put_nowait(changed)

    def _look(self) -> dict[str, str]:
        servers = {channel: line.shown() for channel, line in self._lines.items()}
        worlds = (self._scene.tg.state.changes, self._scene.dc.state.changes)
        seen = (worlds, servers, self._life.version(), self._life.noted)
        if seen == self._seen and time.monotonic() - self._seen_at < AT_LEAST_EVERY_S:
            return {}
        self._seen, self._seen_at = seen, time.monotonic()
        parts: dict[str, Any] = {"setting": self._setting(), "servers": servers, "life": self._life.shown()}
        parts |= {f"chat:{place.key}": self._chat(place) for place in self._scene.places}
        written = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
        changed = {name: text for name, text in written.items() if self._parts.get(name) != text}
        self._parts = written
        return changed

    def _setting(self) -> dict[str, Any]:
        bots = {"telegram": self._scene.tg.username, "discord": self._scene.dc.username}
        paired = {channel: self._life.paired(channel) for channel in self._scene.channels}
        chats = [
            {
                "key": place.key,
                "platform": place.platform,
                "title": place.title,
                "about": self._about(place, paired[place.platform]),
                "actors": [{"handle": one, "name": one.title()} for one in place.actors],
                "group": place.group,
                "bot": bots[place.platform],
                "botId": str(self._scene.dc.bot_id),
            }
            for place in self._scene.places
        ]
        return {"chats": chats, "scripted": bool(self._lines)}

    def _about(self, place: SceneChat, paired: set[str]) -> str:
        if place.stranger and place.chat_id in paired:
            return "paired just now"
        return place.about

    def _chat(self, place: SceneChat) -> dict[str, Any]:
        if place.platform == "discord":
            return page_discord.chat_view(self._scene.dc, place)
        view = page_telegram.chat_view(self._scene.tg, place)
        if place.stranger and place.chat_id not in self._life.paired("telegram"):
            codes = [one["code"] for one in view["messages"] if one.get("code")]
            view["code"] = codes[-1] if codes else None
        return view
