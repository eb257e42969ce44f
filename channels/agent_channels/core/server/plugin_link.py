"""The line to our plugin in a host: it tells what a turn does, is answered as a hook is, and interrupts the agent.

JSON, one object a line. We say who we are (`auth`, `server`) and when to stop (`stop`); each `hook` of the plugin's
gets an `answer` with its id.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.host.inbox_address import InboxAddress
from agent_channels.core.host.inbox_socket import open_socket
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.scheduling import Backoff
from agent_channels.core.server.hook_calls import HookCalls

__all__ = ["PluginLink"]

logger = logging.getLogger(__name__)


class PluginLink:
    """One server's connection to the plugin of its host."""

    def __init__(self, name: str, inbox: InboxAddress, hooks: HookCalls) -> None:
        """`name` is the channel's."""
        self._name, self._inbox, self._hooks = name, inbox, hooks
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Answer the plugin until cancelled; connect again if the connection ends."""
        backoff = Backoff(first_s=0.2, cap_s=30.0)
        while True:
            try:
                await self._answer_all()
            except (OSError, ValueError) as error:
                logger.warning("the connection to the host's plugin failed and is made again: %r", error)
            await anyio.sleep(backoff.next())

    async def stop_turns(self, runtime: ChannelRuntime) -> None:
        """Have the plugin interrupt the turn whenever it is asked to stop, until cancelled."""
        while True:
            try:
                if runtime.tracker.is_asked_to_stop() and self._send({"type": "stop"}):
                    runtime.tracker.end_stopped()
            except StoreError as error:
                # The turn's next step finds it too.
                logger.warning("whether the turn has to stop is looked at later: %s", error)
            await runtime.context.wakeups.stop_asked.wait()

    async def _answer_all(self) -> None:
        reader, self._writer = await open_socket(self._inbox.path)
        try:
            self._send({"type": "auth", "token": self._inbox.token})
            self._send({"type": "server", "name": self._name})
            while line := await reader.readline():
                call: Any = json.loads(line)
                if isinstance(call, dict) and call.get("type") == "hook":
                    answer = self._hooks.handle(call.get("arguments"))
                    self._send({"type": "answer", "id": call.get("id"), "answer": answer})
        finally:
            writer, self._writer = self._writer, None
            writer.close()

    def _send(self, line: dict[str, Any]) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(json.dumps(line).encode() + b"\n")
        return True
