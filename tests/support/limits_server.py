"""A small MCP server that shows what a client bears: calls that last, and results of any length.

Standard library only, so that it runs as it is in other people's environments.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

# Each piece of a long text says where it begins, so that one sees what was left out of it.
PIECE = 10
TOOLS = [
    {
        "name": name,
        "description": what,
        "inputSchema": {
            "type": "object",
            "properties": {argument: {"type": "number"}},
            "required": [argument],
            "additionalProperties": False,
        },
    }
    for name, what, argument in (
        ("hold", "Answers after so many seconds.", "seconds"),
        ("text", "Answers with a text of so many characters.", "characters"),
    )
]
_lock = threading.Lock()


def numbered(characters: int) -> str:
    """A text of which every ten characters are its own place: `00000000. 00000010. ...`."""
    return "".join(f"{at:08d}. " for at in range(0, characters, PIECE))[:characters]


def result_of(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """What a request is answered with; None where there is no such method."""
    if method == "initialize":
        info = {"name": "limits", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "ping":
        return {}
    if method != "tools/call":
        return None
    given = params.get("arguments") or {}
    if params["name"] == "hold":
        time.sleep(float(given["seconds"]))
        said = "held"
    else:
        said = numbered(int(given["characters"]))
    return {"content": [{"type": "text", "text": said}]}


def answer(message: dict[str, Any]) -> None:
    """Answers one request."""
    found = result_of(message["method"], message.get("params") or {})
    told = {"result": found} if found is not None else {"error": {"code": -32601, "message": "Method not found"}}
    with _lock:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}), flush=True)


def main() -> None:
    """Answers until standard input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            threading.Thread(target=answer, args=(message,), daemon=True).start()


if __name__ == "__main__":
    main()
