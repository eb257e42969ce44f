"""A stand-in for a host session's inbox socket: a Unix socket server that records the JSON lines posted to it."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["Block", "InboxSocket", "blocks_in"]

PATIENCE_S = 10.0
_BLOCK = re.compile(r"<channel ((?:[a-z_]+=\"[^\"]*\" ?)+)>\n(.*?)\n</channel>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([a-z_]+)=\"([^\"]*)\"")


@dataclass(frozen=True)
class Block:
    """One `<channel ...>` block, its attributes unescaped as an XML reader would."""

    content: str
    meta: dict[str, str]


def blocks_in(text: str) -> list[Block]:
    """Every block in a text, in order."""
    return [
        Block(match[2], {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(match[1])})
        for match in _BLOCK.finditer(text)
    ]


class InboxSocket:
    """Listens where a host's session would. `deaf`: takes connections and never reads them."""

    def __init__(self, path: Path, *, deaf: bool = False) -> None:
        self.path, self.deaf = path, deaf
        self.connections: list[list[dict[str, Any]]] = []
        self.arrived: list[float] = []
        # The way back, by connection.
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen(self) -> None:
        """Takes connections, from now on or again."""
        self.path.unlink(missing_ok=True)
        # A line is a whole message: up to the host's limit of about 1 MB.
        self._server = await asyncio.start_unix_server(self._accept, str(self.path), limit=1 << 21)

    async def close(self) -> None:
        """As when the host is gone: cuts what is open, listens no more, and takes the file away."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        if server is not None:
            await server.wait_closed()
        self.path.unlink(missing_ok=True)

    def cut(self) -> None:
        """Ends the connections there are; new ones are taken."""
        for writer in self.writers:
            writer.transport.abort()

    # ---- what came

    @property
    def posts(self) -> list[dict[str, Any]]:
        """Every message line, of all connections, in order of connection and arrival."""
        return [line for lines in self.connections for line in lines if line.get("type") == "user"]

    @property
    def blocks(self) -> list[Block]:
        """Every block of every message."""
        return [block for post in self.posts for block in blocks_in(post["message"]["content"])]

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = PATIENCE_S) -> None:
        """Waits until what came makes `predicate` true. Raises TimeoutError saying what came."""
        try:
            async with asyncio.timeout(timeout):
                while not predicate():
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not seen within {timeout} s; posted: {self.posts}") from None

    async def block(self, number: int = 1, timeout: float = PATIENCE_S) -> Block:
        """The block with this number, counted from 1."""
        await self.wait_for(lambda: len(self.blocks) >= number, timeout)
        return self.blocks[number - 1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[dict[str, Any]] = []
        self.connections.append(lines)
        self.writers.append(writer)
        self._tell()
        if self.deaf:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            return
        try:
            while line := await reader.readline():
                lines.append(json.loads(line))
                self.arrived.append(asyncio.get_running_loop().time())
                self._tell()
        except OSError:
            return
        finally:
            writer.close()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
