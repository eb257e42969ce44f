"""What `channels setup` writes into the host's files: the server and the hooks. The rest of each file stays."""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import agent_channels
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import (
    foreign_server,
    hook_command,
    hook_entries,
    is_this_program,
    is_turn_hook,
    read_json,
)
from agent_channels.core.host.hook_call import EVENTS, hook_entry
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.private_files import write_atomically

__all__ = [
    "add_hooks",
    "add_server",
    "add_turn_hooks",
    "hooks_file",
    "servers_file",
    "shipped_hooks",
    "turn_hooks",
    "turn_hooks_file",
]

JSON = dict[str, Any]
PROMPT_EVENT = "UserPromptSubmit"


def servers_file(env: Environment) -> Path:
    """Return the path of the project's .mcp.json."""
    return project_dir(env.environ) / ".mcp.json"


def hooks_file(env: Environment) -> Path:
    """Return the path of the host's settings for the project."""
    return project_dir(env.environ) / ".claude" / "settings.json"


def turn_hooks_file(env: Environment) -> Path:
    """Return the path of this user's own settings for the project, which are not for its repository."""
    return project_dir(env.environ) / ".claude" / "settings.local.json"


def add_server(row: Channel, env: Environment) -> str:
    """Enter this channel's server into .mcp.json; return what was done, in words.

    An entry that starts this program stays as it is. Raises `ConfigError` if the file is not a JSON object or cannot
    be written; it is unchanged then.
    """
    path = servers_file(env)

    def change(found: JSON) -> None:
        servers = found.setdefault("mcpServers", {})
        if not isinstance(servers, dict):
            raise ConfigError(f"mcpServers in {path} is not an object; fix it first")
        entry = servers.get(row.name)
        if foreign_server(row.name, entry, row.name, env.environ) == "":
            return
        servers[row.name] = _server_entry(row, env)

    return _merge(project_dir(env.environ), path, change, f"the server {row.name!r}")


def _server_entry(row: Channel, env: Environment) -> JSON:
    upper = row.name.upper()
    names = [f"{upper}_{end}" for end in ("STATE_DIR", "BOT_TOKEN", "API_ROOT", "PROXY")]
    values = {name: f"${{{name}:-}}" for name in (*names, "CHANNELS_MODE", "CHANNELS_CLAIM")}
    if env_value(names[0], env.environ):
        # The shell that starts the host may not set it.
        values[names[0]] = f"${{{names[0]}:-{env.state_dir}}}"
    return {"command": _program(env, "${CLAUDE_PROJECT_DIR:-.}"), "args": ["serve", row.name], "env": values}


def add_hooks(env: Environment, *, calls_servers: bool) -> str:
    """Enter our commands into the host's settings for the project; return what was done. Raises as `add_server` does.

    `calls_servers`: the hooks of turns are installed too, which do what the command `hook prompt` does elsewhere.
    """
    path, shipped = hooks_file(env), shipped_hooks(env)

    def change(found: JSON) -> None:
        hooks = _hooks_in(found, path)
        for event, groups in shipped.items():
            installed = _groups_in(hooks, event, path)
            if event == PROMPT_EVENT and calls_servers:
                _remove(installed, lambda entry: (hook_command(entry) or ("",))[0] == "prompt")
            else:
                _add_missing(installed, groups, env)
            if not installed:
                del hooks[event]

    return _merge(project_dir(env.environ), path, change, "the hooks")


def add_turn_hooks(env: Environment, servers: Sequence[str]) -> str:
    """Enter the hooks that call the running servers, and no others; return what was done.

    `servers` are our names in the host's list: for one that is not in it the host shows an error at every step. Raises
    as `add_server` does.
    """
    path = turn_hooks_file(env)

    def change(found: JSON) -> None:
        if not servers and "hooks" not in found:
            return
        hooks = _hooks_in(found, path)
        for event, added in turn_hooks(servers).items():
            groups = _groups_in(hooks, event, path)
            _remove(groups, is_turn_hook)
            groups += added
            if not groups:
                del hooks[event]

    return _merge(project_dir(env.environ), path, change, "the hooks of turns")


def turn_hooks(servers: Sequence[str]) -> dict[str, list[JSON]]:
    """Return the hooks that call the running servers, by event; empty lists without any."""
    return {
        event: [{"hooks": [hook_entry(event, server) for server in servers]}] if servers else [] for event in EVENTS
    }


def _hooks_in(found: JSON, path: Path) -> JSON:
    hooks = found.setdefault("hooks", {})
    if not isinstance(hooks, dict):
        raise ConfigError(f"hooks in {path} is not an object; fix it first")
    return hooks


def _groups_in(hooks: JSON, event: str, path: Path) -> list[Any]:
    groups = hooks.setdefault(event, [])
    if not isinstance(groups, list):
        raise ConfigError(f"hooks.{event} in {path} is not a list; fix it first")
    return groups


def _remove(groups: list[Any], ours: Callable[[JSON], bool]) -> None:
    """Remove entries of ours from an event's groups, and groups that are empty then."""
    for group in [group for group in groups if isinstance(group, dict) and isinstance(group.get("hooks"), list)]:
        kept = [entry for entry in group["hooks"] if not (isinstance(entry, dict) and ours(entry))]
        if len(kept) < len(group["hooks"]):
            group["hooks"] = kept
            if not kept:
                groups.remove(group)


def _add_missing(installed: list[Any], groups: list[JSON], env: Environment) -> None:
    """Add the hooks that an event lacks; correct the command of ours whose program no longer exists."""
    for group in groups:
        missing = []
        for hook in group["hooks"]:
            name = hook["command"].rsplit(" ", 1)[1]
            known = False
            for entry in hook_entries(installed):
                ours, program = hook_command(entry) or ("", "")
                if ours == name:
                    known = True
                    if not is_this_program(program, env.environ):
                        entry |= {"type": "command", "command": hook["command"]}
            if not known:
                missing.append(hook)
        if missing:
            installed.append({**group, "hooks": missing})


def shipped_hooks(env: Environment) -> dict[str, list[JSON]]:
    """Return our hooks by event, with this program's path filled in. Raises `ConfigError` if hooks.json is missing."""
    package = Path(agent_channels.__file__).parent
    path = next((p for p in (package / "hooks.json", package.parents[1] / "hooks" / "hooks.json") if p.is_file()), None)
    if path is None:
        raise ConfigError(f"hooks.json is missing beside {package}; reinstall this program")
    hooks: dict[str, list[JSON]] = json.loads(path.read_text(encoding="utf-8"))["hooks"]
    program = _program(env, "${CLAUDE_PROJECT_DIR}")
    quoted = f'"{program}"' if program.startswith("$") else shlex.quote(program)
    for hook in (hook for groups in hooks.values() for group in groups for hook in group["hooks"]):
        hook["command"] = re.sub(r"^.* hook (\w+)$", lambda match: f"{quoted} hook {match[1]}", hook["command"])
    return hooks


def _program(env: Environment, project: str) -> str:
    """The path by which a host starts this program; below `project`, its variable for the project, if it is there."""
    name = "channels.exe" if sys.platform == "win32" else "channels"
    script = Path(sysconfig.get_path("scripts")) / name
    if not script.exists():
        script = Path(shutil.which("channels") or sys.argv[0]).absolute()
    try:
        return f"{project}/{script.relative_to(project_dir(env.environ).absolute()).as_posix()}"
    except ValueError:
        return str(script)


def _merge(project: Path, path: Path, change: Callable[[JSON], None], what: str) -> str:
    if not path.resolve().is_relative_to(project.resolve()):
        # A repository may bring a link to a file of the user's.
        raise ConfigError(f"{path} leads out of the project, to {path.resolve()}; it is unchanged: replace the link")
    try:
        before = read_json(path)
    except ConfigError as error:
        raise ConfigError(f"{error}; fix it first") from error
    after = copy.deepcopy(before)
    change(after)
    if after == before:
        return f"{path} has {what} already"
    try:
        backup = _backup(path)
        _write(path, after)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}); it is unchanged") from error
    return f"{path} has {what} now" + (f"; the old file is kept as {backup.name}" if backup else "")


def _backup(path: Path) -> Path | None:
    if not path.exists():
        return None
    names = (path.with_name(f"{path.name}.backup{number or ''}") for number in range(1000))
    backup = next(name for name in names if not os.path.lexists(name))
    shutil.copy2(path, backup)
    return backup


def _write(path: Path, content: JSON) -> None:
    """Write JSON with the indentation that the file has; a link stays, and the file it leads to is replaced."""
    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    text = real.read_text(encoding="utf-8") if real.exists() else ""
    indent = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    write_atomically(real, json.dumps(content, ensure_ascii=False, indent=indent[1] if indent else 2) + "\n", mode=None)
