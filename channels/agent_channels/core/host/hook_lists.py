"""Changes to the hooks that most hosts have in a JSON file: for each event groups `{matcher?, hooks: [entry]}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent_channels.core.host.config_files import hook_command, hook_entries, is_this_program, program_exists
from agent_channels.core.host.protocol import HOOK_TOOL

__all__ = ["add_missing_hooks", "called_server", "is_gone", "remove_hooks", "runs_ours"]

JSON = dict[str, Any]


def add_missing_hooks(installed: list[Any], group: JSON, environ: Mapping[str, str]) -> None:
    """Add the hooks of a group that an event lacks.

    One of ours that starts another program gets our command, and one that calls our server what it asks for now.
    """
    missing = []
    for hook in group["hooks"]:
        name, known = (hook_command(hook) or ("", ""))[0], False
        for entry in hook_entries(installed) if not name else ():
            if called_server(entry) == hook["server"]:
                known = True
                entry.update(hook)
        for entry in hook_entries(installed):
            ours, program = hook_command(entry) or ("", "")
            if name and ours == name:
                known = True
                if not is_this_program(program, environ):
                    entry |= {"type": "command", "command": hook["command"]}
        if not known:
            missing.append(hook)
    if missing:
        installed.append({**group, "hooks": missing})


def remove_hooks(groups: list[Any], ours: Callable[[JSON], bool]) -> None:
    """Remove entries of ours from an event's groups, and groups that are empty then."""
    for group in [group for group in groups if isinstance(group, dict) and isinstance(group.get("hooks"), list)]:
        kept = [entry for entry in group["hooks"] if not (isinstance(entry, dict) and ours(entry))]
        if len(kept) < len(group["hooks"]):
            group["hooks"] = kept
            if not kept:
                groups.remove(group)


def called_server(entry: JSON) -> str:
    """Return which server an entry calls for one of our hooks; "" if it does not."""
    given = entry.get("input")
    if entry.get("type") != "mcp_tool" or entry.get("tool") != HOOK_TOOL or not isinstance(given, dict):
        return ""
    return str(entry.get("server") or "") if isinstance(given.get("event"), str) else ""


def runs_ours(entry: JSON, environ: Mapping[str, str]) -> bool:
    """Return whether an entry runs a hook of this program, or of one of its name that is gone."""
    _, program = hook_command(entry) or ("", "")
    return bool(program) and (is_this_program(program, environ) or is_gone(program, environ))


def is_gone(command: str, environ: Mapping[str, str]) -> bool:
    """Return whether a command is named as this program is and does not exist."""
    return Path(command).name in {"channels", "channels.exe"} and not program_exists(command, environ)
