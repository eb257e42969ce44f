"""The host's calls of the hidden tool `hook`, answered before the SDK sees them.

A host waits for such a call at every step of its agent; on the SDK's way an answer takes several times as long. The
answer is never an error: the host would show it at each step.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from agent_channels.core.errors import StoreError
from agent_channels.core.host.hook_call import HookCall
from agent_channels.core.host.protocol import HOOK_TOOL
from agent_channels.core.log import redact
from agent_channels.core.server.current_runtime import CurrentRuntime

__all__ = ["HookCalls"]

logger = logging.getLogger(__name__)
_MARK = f'"{HOOK_TOOL}"'
# The response to nearly every call, but for its id: no effect. Empty text would be added to the conversation as "hook
# success".
_NOTHING = '"result": {"content": [{"type": "text", "text": "{}"}], "isError": false}}\n'


class HookCalls:
    """Answer the hooks of the host by the bot that is open; without one they have no effect."""

    def __init__(self, current: CurrentRuntime) -> None:
        self._current = current

    def answer(self, line: str) -> str | None:
        """Return the response to a line that calls the tool, with its line end; None for any other line."""
        if _MARK not in line:
            return None
        try:
            request: Any = json.loads(line)
            called = request["method"] == "tools/call" and request["params"]["name"] == HOOK_TOOL
            request_id = request["id"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return None
        if not called or isinstance(request_id, bool) or not isinstance(request_id, int | str):
            return None
        given = request["params"].get("arguments")
        answer = self._of_codex(given) if _is_codex(given) else self.handle(given)
        if not answer:
            return f'{{"jsonrpc": "2.0", "id": {json.dumps(request_id)}, {_NOTHING}'
        result = {"content": [{"type": "text", "text": json.dumps(answer)}], "isError": False}
        return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}) + "\n"

    def handle(self, arguments: object) -> dict[str, Any]:
        """Return the answer to a call with these arguments; {} if there is none, also after any error."""
        return self._handle(HookCall.of(arguments))

    def _of_codex(self, given: dict[str, Any]) -> dict[str, Any]:
        # Most hosts speak as Claude Code does.
        from agent_channels.core.host.codex_hooks import answer_for, call_of

        return answer_for(self._handle(call_of(given)))

    def _handle(self, call: HookCall | None) -> dict[str, Any]:
        try:
            runtime = self._current.open
            if call is not None and runtime is not None:
                return runtime.tracker.handle(call)
            self._current.missed_hook = call or self._current.missed_hook
        except StoreError as error:
            logger.warning("a hook has no effect: %s", error)
        except Exception as error:  # noqa: BLE001 - a hook never fails its host
            logger.error("a hook failed: %s", redact(repr(error)))  # noqa: TRY400
        return {}


def _is_codex(given: object) -> bool:
    return isinstance(given, dict) and given.get("host") == "codex"
