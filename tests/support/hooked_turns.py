"""A turn as a host's hooks tell it to the running server: the calls that Claude Code makes, over real stdio."""

from __future__ import annotations

import itertools
import json
from typing import Any

from wire_host import Host

__all__ = ["HookedTurn"]

_turns = itertools.count(1)


class HookedTurn:
    """One prompt of a host session; its hooks call the tool `hook` of the server."""

    def __init__(self, host: Host, prompt_id: str | None = None) -> None:
        self.host = host
        self.id = f"prompt-{next(_turns)}" if prompt_id is None else prompt_id
        self._calls = itertools.count(1)

    async def hook(self, event: str, **fields: str) -> dict[str, Any]:
        """Call the hook for an event; return its answer, {} for none. What an event does not have is ""."""
        given = {"event": event, "turn": self.id, **fields}
        response = await self.host.ask("tools/call", {"name": "hook", "arguments": given})
        (content,) = response["result"]["content"]
        assert response["result"]["isError"] is False
        answer: dict[str, Any] = json.loads(content["text"])
        return answer

    async def prompt(self, text: str = "go on") -> str:
        """Submit the prompt; return what is added to it."""
        return _context(await self.hook("UserPromptSubmit", prompt=text))

    async def tool(self, tool: str = "Bash", subject: str = "echo", **fields: str) -> dict[str, Any]:
        """Begin to use a tool; return the answer."""
        call = f"toolu_{next(self._calls)}"
        return await self.hook("PreToolUse", tool=tool, call=call, subject=subject, **fields)

    async def batch(self, **fields: str) -> dict[str, Any]:
        """End the tools that ran; return the answer."""
        return await self.hook("PostToolBatch", **fields)

    async def step(self, tool: str = "Bash", subject: str = "echo", **fields: str) -> str:
        """Use a tool and end it; return what is added to its results."""
        assert await self.tool(tool, subject, **fields) == {}
        return _context(await self.batch())


def _context(answer: dict[str, Any]) -> str:
    return str(answer.get("hookSpecificOutput", {}).get("additionalContext", ""))
