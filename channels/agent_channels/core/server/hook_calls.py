"""The host's calls of the hidden tool `hook`: the answer is never an error, which a host would show at each step."""

from __future__ import annotations

import json
import logging
from typing import Any, TypeGuard

from agent_channels.core.errors import StoreError
from agent_channels.core.host.hook_call import HookCall
from agent_channels.core.log import redact
from agent_channels.core.server.current_runtime import CurrentRuntime

__all__ = ["HookCalls"]

logger = logging.getLogger(__name__)


class HookCalls:
    """Answer the hooks of the host by the bot that is open; without one they have no effect."""

    def __init__(self, current: CurrentRuntime) -> None:
        self._current = current

    def answer(self, given: object) -> str:
        """Return the text of the answer to a call with these arguments."""
        answer = self._of_codex(given) if _is_codex(given) else self.handle(given)
        # Empty text would be added to the conversation as "hook success".
        return json.dumps(answer) if answer else "{}"

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


def _is_codex(given: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(given, dict) and given.get("host") == "codex"
