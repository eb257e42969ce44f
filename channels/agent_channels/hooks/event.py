"""The event that a hook is started for, the host that started it, and the answer that the host reads."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from agent_channels.core.settings.paths import env_value, find_project

__all__ = ["HookEvent", "HookHost", "print_answer"]

INPUT_MAX = 4 * 1024 * 1024


class HookHost:
    """The program that started the hook. `keys` identify it; its MCP servers derive the same keys."""

    def __init__(self) -> None:
        pid = env_value("CLAUDE_PID") or ""
        self._parent = os.getppid()
        self._pid = int(pid) if pid.isascii() and pid.isdigit() and os.name == "posix" else None
        self.keys = {key for key in (env_value("CLAUDE_CODE_MESSAGING_SOCKET"), f"pid {pid}" if pid else None) if key}

    def is_gone(self) -> bool:
        """Return whether the host has ended, so that nobody reads what the hook prints."""
        if os.getppid() != self._parent:
            return True
        # A shell between the two may outlive the host.
        try:
            if self._pid is not None:
                os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


class HookEvent:
    """A hook's input. It comes from outside: `values` is checked field by field where it is used."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        session = values.get("session_id")
        self.session = session if isinstance(session, str) and session else env_value("CLAUDE_CODE_SESSION_ID") or ""
        cwd = values.get("cwd")
        self.cwd = Path(cwd) if isinstance(cwd, str) and cwd else Path.cwd()
        self.project = Path(env_value("CLAUDE_PROJECT_DIR") or find_project(self.cwd))
        self.host = HookHost()

    @classmethod
    def read(cls) -> HookEvent:
        """Read the event from standard input. Raises ValueError unless it is a JSON object that names a session."""
        values = json.loads(sys.stdin.read(INPUT_MAX))
        event = cls(values) if isinstance(values, dict) else None
        if event is None or not event.session:
            raise ValueError("the input is not an object that names a session")
        return event


def print_answer(event_name: str, **fields: Any) -> None:
    """Print a hook's answer to the host's event of this name."""
    print(json.dumps({"hookSpecificOutput": {"hookEventName": event_name, **fields}}))
