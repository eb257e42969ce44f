"""The files by which an agent host is told of this program: the project's MCP servers, its settings, its policy."""

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

__all__ = ["enabled_plugin", "find_program", "hook_commands", "managed_files", "read_json", "serves", "settings_files"]

_HOOK = re.compile(r"\bhook\s+(bell|stop|prompt|session|permission|question)\s*$")
MAX_BYTES = 4 * 1024 * 1024
PLUGIN = "agent-channels"


def read_json(path: Path) -> dict[str, Any]:
    """A file's JSON object; {} when there is none.

    Raises `ConfigError` naming the file, and the line where it stops being JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")[:MAX_BYTES]
        found = json.loads(text) if text.strip() else {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}; mend it first") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds a {type(found).__name__} where an object is wanted; mend it first")
    return found


def home(environ: Mapping[str, str]) -> Path:
    """The host's own folder."""
    return Path(env_value("CLAUDE_CONFIG_DIR", environ) or Path(env_value("HOME", environ) or Path.home()) / ".claude")


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """The host's settings that count in this project, the strongest first."""
    project = project_dir(environ) / ".claude"
    return [project / "settings.local.json", project / "settings.json", home(environ) / "settings.json"]


def enabled_plugin(environ: Mapping[str, str]) -> str | None:
    """Our plugin with its marketplace, such as `agent-channels@ours`, where it is enabled; else None."""
    known: dict[str, bool] = {}
    for path in settings_files(environ):
        try:
            found = read_json(path).get("enabledPlugins")
        except ConfigError:
            # Whoever checks that file says so.
            continue
        for name, on in found.items() if isinstance(found, dict) else ():
            known.setdefault(name, bool(on))
    return next((name for name, on in known.items() if on and name.partition("@")[0] == PLUGIN), None)


def managed_files() -> list[Path]:
    """Where an organisation puts the settings that nobody can override, by system (the host's documentation)."""
    folder = {
        "darwin": Path("/Library/Application Support/ClaudeCode"),
        "win32": Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "ClaudeCode",
    }.get(sys.platform, Path("/etc/claude-code"))
    return [folder / "managed-settings.json", *sorted((folder / "managed-settings.d").glob("*.json"))]


def serves(entry: object, channel: str) -> bool:
    """Whether an entry of `mcpServers` starts this program for this channel."""
    if not isinstance(entry, dict):
        return False
    words = [str(entry.get("command") or ""), *map(str, entry.get("args") or ())]
    return words[-2:] == ["serve", channel] and any("channels" in word for word in words[:-2])


def find_program(command: str, environ: Mapping[str, str]) -> bool:
    """Whether a command of an entry or a hook leads to a program that can be run here."""

    def value(match: re.Match[str]) -> str:
        known = {**environ, "CLAUDE_PROJECT_DIR": str(project_dir(environ))}
        return known.get(match[1]) or match[2] or ""

    filled = re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, command)
    return shutil.which(filled, path=environ.get("PATH")) is not None


def hook_commands(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every hook of ours in a settings file: its name, and the program that its command starts."""
    hooks = settings.get("hooks")
    for groups in hooks.values() if isinstance(hooks, dict) else ():
        for group in groups if isinstance(groups, list) else ():
            entries = group.get("hooks") if isinstance(group, dict) else None
            for entry in entries if isinstance(entries, list) else ():
                command = str(entry.get("command") or "") if isinstance(entry, dict) else ""
                found = _HOOK.search(command)
                if found and "channels" in command:
                    yield found[1], _program(command)


def _program(command: str) -> str:
    try:
        return shlex.split(command)[0]
    except (ValueError, IndexError):
        return command
