"""What a page shows, as named parts of JSON; listeners get every part that changes."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any

__all__ = ["PageFeed"]


class PageFeed(ABC):
    """The parts as they were last seen, and who listens; `refresh` is the source's own."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, str]]] = set()
        self._open: Counter[str] = Counter()
        self._encoded: dict[str, str] = {}

    @property
    def listening(self) -> bool:
        """Whether anybody has the page open."""
        return bool(self._listeners)

    @property
    def open_chats(self) -> set[str]:
        """The keys of the chats that somebody looks at, as their pages name them."""
        return set(self._open)

    async def listen(self, chat: str = "") -> AsyncGenerator[dict[str, str], None]:
        """Yield every part as it is now, then each change: {name: JSON}; null for a part that is gone.

        `chat` is the key of the chat that is looked at.
        """
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._open[chat] += 1
        try:
            self.refresh()
            queue.put_nowait(dict(self._encoded))
            self._listeners.add(queue)
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
            self._open -= Counter([chat])

    @abstractmethod
    def refresh(self) -> None:
        """Look at the source, and `publish` its parts if they may have changed."""

    def publish(self, parts: Mapping[str, Any]) -> None:
        """Take the parts as they are now; listeners get those that changed."""
        encoded = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
        changed = {name: text for name, text in encoded.items() if self._encoded.get(name) != text}
        changed |= dict.fromkeys(self._encoded.keys() - encoded.keys(), "null")
        self._encoded = encoded
        for queue in self._listeners if changed else ():
            queue.put_nowait(changed)
