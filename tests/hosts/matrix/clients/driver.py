"""What the drivers of client libraries share: JSON lines in, one for a call, and JSON lines out, one for a result.

Standard library only: it runs in the library's own environment. A driver is started as `DRIVER COMMAND ARGUMENTS...`,
with the server's command; the server's environment is its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

COMMAND, ARGUMENTS = sys.argv[1], sys.argv[2:]
ENV = dict(os.environ)
# After how many seconds the library is to give up a call; None: as it does by itself.
CALL_S = float(ENV["CALL_S"]) if "CALL_S" in ENV else None
# Our lines, whatever the library prints.
_out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


async def drive(
    tools: Callable[[], Awaitable[list[str]]], call: Callable[[str, dict[str, Any]], Awaitable[str]]
) -> None:
    """Answers until standard input ends."""
    loop, running = asyncio.get_running_loop(), {}

    async def answer(asked: dict[str, Any]) -> None:
        try:
            found = (
                {"tools": await tools()}
                if asked["do"] == "tools"
                else {"text": await call(asked["tool"], asked["arguments"])}
            )
        except Exception as error:  # noqa: BLE001 - the library's own error is what the agent is told
            found = {"text": f"{type(error).__name__}: {error}"}
        except asyncio.CancelledError:
            found = {"text": "cancelled"}
        print(json.dumps({"id": asked["id"], **found}), file=_out, flush=True)

    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["do"] == "cancel":
            running[asked["id"]].cancel()
        else:
            running[asked["id"]] = asyncio.create_task(answer(asked))


def text_of(result: Any) -> str:
    """The text of a tool's result, as the protocol has it."""
    return "\n".join(getattr(part, "text", "") for part in result.content)
