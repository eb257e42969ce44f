"""The event that a hook is started for, the host that started it, and the answer that the host reads."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from agent_channels.core.host.inbox_address import inbox_address
from agent_channels.core.settings.paths import env_value, find_project

__all__ = ["HookDialect", "HookEvent", "HookHost", "print_answer", "print_refusal", "print_stop", "speak"]

INPUT_MAX = 4 * 1024 * 1024


class HookDialect(Protocol):
    """A module of `hooks/hosts`: how a host's hook JSON differs from Claude Code's.

    One whose host gives a hook up after a time of its own, whatever the settings say, has `WAIT_MAX_S` too, and one
    whose host runs the hook `step` has `STEPS`, and perhaps `STOPS_AT_ONCE` or `ENDS_TURNS`; one whose host tells no
    hook of the end of a turn that went on for a reason has `GOES_ON_UNSEEN`. One whose host asks its hooks for
    permission before its own rules has `ASKS_FIRST`, and `allows_all(options)`: whether it was started with options by
    which it asks for none.
    """

    # Whether a permission may be answered with rules that hold for the session.
    SESSION_RULES: bool
    # How many characters of context the model is shown whole.
    CONTEXT_MAX: int

    def event(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return an event of the host's as Claude Code would write it."""
        ...

    def answer(self, event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the host reads for our answer to Claude Code's event of this name; None for no answer."""
        ...


_dialect: HookDialect | None = None


def speak(dialect: HookDialect | None) -> None:
    """Read events, and write answers, as this host does; None for Claude Code's own JSON."""
    global _dialect  # noqa: PLW0603 - one process runs one hook of one host
    _dialect = dialect


class HookHost:
    """The program that started the hook. `keys` identify it; its MCP servers derive the same keys.

    `names_itself`: it tells its servers which session they serve.
    """

    def __init__(self) -> None:
        self._parent = os.getppid()
        self.names_itself = _dialect is None
        pid = (env_value("CLAUDE_PID") or "") if self.names_itself else _program_above(self._parent)
        self._pid = int(pid) if pid.isascii() and pid.isdigit() and os.name == "posix" else None
        inbox = inbox_address() if self.names_itself else None
        self.keys = {key for key in (inbox and inbox.path, f"pid {pid}" if pid else None) if key}

    def options(self) -> list[str]:
        """Return the words of the command line that the host was started with, as far as the system shows it."""
        from agent_channels.core.host.process import command_line

        return [] if self._pid is None else command_line(self._pid)

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


def _program_above(pid: int) -> str:
    """Return the id of the process, from this one upwards, that is not a shell; "" if none is shown.

    That is the host: other hosts than Claude Code do not say who they are.
    """
    from agent_channels.core.host.process import first_program

    found = first_program(pid)
    return str(found) if found else ""


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
        self.takes_session_rules = _dialect is None or _dialect.SESSION_RULES
        # How many characters of context the model is shown whole; None: as many as of Claude Code.
        self.context_max = None if _dialect is None else _dialect.CONTEXT_MAX
        # Whether the host's hooks tell of each step, and so of the turn that it belongs to.
        self.tells_steps: bool = getattr(_dialect, "STEPS", False)
        # Whether a turn that is stopped before a tool ends there, with no further hook.
        self.stops_at_once: bool = getattr(_dialect, "STOPS_AT_ONCE", False)
        # Whether a hook can end the turn; else it goes on, without its tools, until the model is done.
        self.ends_turns: bool = getattr(_dialect, "ENDS_TURNS", True)
        # Whether no hook is told when a turn ends that went on for a reason.
        self.goes_on_unseen: bool = getattr(_dialect, "GOES_ON_UNSEEN", False)
        # Whether permissions are asked for that the host would give by itself, also those for our own tools.
        self.asks_first: bool = getattr(_dialect, "ASKS_FIRST", False)
        self.allows_all: Callable[[list[str]], bool] = getattr(_dialect, "allows_all", lambda _: False)
        # How long the host waits for a hook's answer at most, in seconds.
        self.wait_max_s: float = getattr(_dialect, "WAIT_MAX_S", math.inf)

    @classmethod
    def read(cls) -> HookEvent:
        """Read the event from standard input. Raises ValueError unless it is a JSON object that names a session."""
        values = json.loads(sys.stdin.read(INPUT_MAX))
        if isinstance(values, dict) and _dialect is not None:
            values = _dialect.event(values)
        event = cls(values) if isinstance(values, dict) else None
        if event is None or not event.session:
            raise ValueError("the input is not an object that names a session")
        return event


def print_refusal(reason: str) -> None:
    """Print that what the host is about to do must not be done."""
    print(json.dumps({"decision": "block", "reason": reason}))


def print_stop(event_name: str, reason: str) -> None:
    """Print that the turn ends here, and before a tool, that this one does not run: every host reads it alike."""
    answer: dict[str, Any] = {"continue": False, "stopReason": reason}
    if event_name == "PreToolUse":
        denied = {"permissionDecision": "deny", "permissionDecisionReason": reason}
        answer["hookSpecificOutput"] = {"hookEventName": event_name, **denied}
    print(json.dumps(answer))


def print_answer(event_name: str, **fields: Any) -> None:
    """Print a hook's answer to the host's event of this name."""
    if _dialect is None:
        answer: dict[str, Any] | None = {"hookSpecificOutput": {"hookEventName": event_name, **fields}}
    else:
        answer = _dialect.answer(event_name, fields)
    if answer is not None:
        print(json.dumps(answer))
