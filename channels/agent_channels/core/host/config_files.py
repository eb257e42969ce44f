"""The files through which an agent host knows this program: the project's MCP servers, its settings, its policy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.validation import json_kind

__all__ = [
    "HookCommand",
    "config_dir",
    "enabled_plugin",
    "hook_command",
    "hook_commands",
    "hook_entries",
    "managed_files",
    "program_exists",
    "read_json",
    "serves",
    "settings_files",
]

_HOOK = re.compile(r"\bhook\s+(bell|stop|prompt|session|permission|question)\s*$")
MAX_BYTES = 4 * 1024 * 1024
PLUGIN = "agent-channels"
HookCommand = tuple[str, str]
"""One of our hooks: its name, and the program that its command starts."""


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; {} if there is no such file or it is empty.

    Raises `ConfigError` naming the file, and where it stops being JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")[:MAX_BYTES]
        found = json.loads(text) if text.strip() else {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} must hold a JSON object; it holds {json_kind(found)}")
    return found


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the host's own folder in the user's home."""
    return Path(env_value("CLAUDE_CONFIG_DIR", environ) or Path(env_value("HOME", environ) or Path.home()) / ".claude")


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the host's settings files for this project, in order of precedence, highest first."""
    project = project_dir(environ) / ".claude"
    return [project / "settings.local.json", project / "settings.json", config_dir(environ) / "settings.json"]


def enabled_plugin(environ: Mapping[str, str]) -> str | None:
    """Return our plugin with its marketplace, such as `agent-channels@ours`, if it is enabled; else None."""
    plugins: dict[str, bool] = {}
    for path in settings_files(environ):
        try:
            found = read_json(path).get("enabledPlugins")
        except ConfigError:
            # The doctor's check `hooks` names this file.
            continue
        for name, enabled in found.items() if isinstance(found, dict) else ():
            plugins.setdefault(name, bool(enabled))
    return next((name for name, enabled in plugins.items() if enabled and name.partition("@")[0] == PLUGIN), None)


def managed_files() -> list[Path]:
    """Return the files of an organisation's settings, which nobody can override (see the host's documentation)."""
    folder = {
        "darwin": Path("/Library/Application Support/ClaudeCode"),
        "win32": Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "ClaudeCode",
    }.get(sys.platform, Path("/etc/claude-code"))
    return [folder / "managed-settings.json", *sorted((folder / "managed-settings.d").glob("*.json"))]


def serves(entry: object, channel: str) -> bool:
    """Return whether an entry of `mcpServers` starts this program for this channel."""
    if not isinstance(entry, dict):
        return False
    words = [str(entry.get("command") or ""), *map(str, entry.get("args") or ())]
    return words[-2:] == ["serve", channel] and any("channels" in word for word in words[:-2])


def program_exists(command: str, environ: Mapping[str, str]) -> bool:
    """Return whether an entry's command is a program that can run here. Variables in it are filled in."""

    def value(match: re.Match[str]) -> str:
        known = {**environ, "CLAUDE_PROJECT_DIR": str(project_dir(environ))}
        return known.get(match[1]) or match[2] or ""

    filled = re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, command)
    return shutil.which(filled, path=environ.get("PATH")) is not None


def hook_commands(settings: Mapping[str, Any]) -> Iterator[HookCommand]:
    """Yield our hooks in the content of a settings file."""
    hooks = settings.get("hooks")
    for groups in hooks.values() if isinstance(hooks, dict) else ():
        for entry in hook_entries(groups):
            if found := hook_command(entry):
                yield found


def hook_entries(groups: object) -> Iterator[dict[str, Any]]:
    """Yield the hook entries, ours and others, that a settings file has for one event; skip malformed ones."""
    for group in groups if isinstance(groups, list) else ():
        entries = group.get("hooks") if isinstance(group, dict) else None
        yield from (entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict))


def hook_command(entry: Mapping[str, Any]) -> HookCommand | None:
    """Return which of our hooks an entry runs; None if it is not ours."""
    command = str(entry.get("command") or "")
    found = _HOOK.search(command)
    if not found or "channels" not in command:
        return None
    try:
        return found[1], shlex.split(command)[0]
    except ValueError:
        return found[1], command
