"""What `channels setup` writes into a project: the host's list of servers, and its hooks. The rest of a file stays."""

from __future__ import annotations

import copy
import json
import os
import re
import secrets
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agent_channels
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import find_program, hook_commands, read_json, serves
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, project_dir

__all__ = ["add_hooks", "add_server", "hooks_file", "servers_file", "shipped_hooks"]

JSON = dict[str, Any]


def servers_file(env: Environment) -> Path:
    """The project's .mcp.json."""
    return project_dir(env.environ) / ".mcp.json"


def hooks_file(env: Environment) -> Path:
    """The project's settings of the host."""
    return project_dir(env.environ) / ".claude" / "settings.json"


def add_server(row: Channel, env: Environment) -> str:
    """Enters this channel's server into .mcp.json; says what was done.

    Raises `ConfigError` for a file that is no JSON object; nothing was changed then.
    """
    path = servers_file(env)

    def change(found: JSON) -> None:
        servers = found.setdefault("mcpServers", {})
        if not isinstance(servers, dict):
            raise ConfigError(f"mcpServers in {path} is no object; mend it first")
        there = servers.get(row.name)
        if isinstance(there, dict) and serves(there, row.name) and find_program(str(there["command"]), env.environ):
            return
        servers[row.name] = _entry(row, env)

    return _merge(path, change, f"the server {row.name!r}")


def _entry(row: Channel, env: Environment) -> JSON:
    upper = row.name.upper()
    names = [f"{upper}_{end}" for end in ("STATE_DIR", "BOT_TOKEN", "API_ROOT", "PROXY")]
    values = {name: f"${{{name}:-}}" for name in (*names, "CHANNELS_MODE", "CHANNELS_CLAIM")}
    if env_value(names[0], env.environ):
        # Named by whoever runs the set-up: the host's own shell may not name it.
        values[names[0]] = f"${{{names[0]}:-{env.state_dir}}}"
    return {"command": _program(env, "${CLAUDE_PROJECT_DIR:-.}"), "args": ["serve", row.name], "env": values}


def add_hooks(env: Environment) -> str:
    """Enters our hooks into the project's settings of the host; says what was done. Raises as `add_server` does."""
    path, wanted = hooks_file(env), shipped_hooks(env)

    def change(found: JSON) -> None:
        hooks = found.setdefault("hooks", {})
        if not isinstance(hooks, dict):
            raise ConfigError(f"hooks in {path} is no object; mend it first")
        for event, groups in wanted.items():
            there = hooks.setdefault(event, [])
            if not isinstance(there, list):
                raise ConfigError(f"hooks.{event} in {path} is no list; mend it first")
            _mend(there, groups, env)

    return _merge(path, change, "the hooks")


def _mend(there: list[Any], groups: list[JSON], env: Environment) -> None:
    """Adds the hooks that an event lacks; one of ours whose program is gone is pointed at the right one."""
    for group in groups:
        missing = []
        for hook in group["hooks"]:
            name = hook["command"].rsplit(" ", 1)[1]
            known = _ours(there, name)
            if not known:
                missing.append(hook)
            for entry in known:
                if not all(find_program(program, env.environ) for _, program in _commands(entry)):
                    entry["command"] = hook["command"]
        if missing:
            there.append({**group, "hooks": missing})


def _ours(groups: list[Any], name: str) -> list[JSON]:
    entries = [entry for group in groups if isinstance(group, dict) for entry in group.get("hooks") or ()]
    return [entry for entry in entries if [found for found, _ in _commands(entry)] == [name]]


def _commands(entry: Any) -> list[tuple[str, str]]:
    return list(hook_commands({"hooks": {"_": [{"hooks": [entry]}]}}))


def shipped_hooks(env: Environment) -> dict[str, list[JSON]]:
    """Our hooks as they are shipped, with the program's place filled in; raises `ConfigError` when they are missing."""
    package = Path(agent_channels.__file__).parent
    path = next((p for p in (package / "hooks.json", package.parents[1] / "hooks" / "hooks.json") if p.is_file()), None)
    if path is None:
        raise ConfigError(f"hooks.json is missing beside {package}; install this program anew")
    hooks: dict[str, list[JSON]] = json.loads(path.read_text(encoding="utf-8"))["hooks"]
    program = _program(env, "${CLAUDE_PROJECT_DIR}")
    quoted = f'"{program}"' if program.startswith("$") else shlex.quote(program)
    for hook in (hook for groups in hooks.values() for group in groups for hook in group["hooks"]):
        hook["command"] = re.sub(r"^.* hook (\w+)$", lambda match: f"{quoted} hook {match[1]}", hook["command"])
    return hooks


def _program(env: Environment, project: str) -> str:
    """What a host starts: a path relative to the project when this program lies in it."""
    name = "channels.exe" if sys.platform == "win32" else "channels"
    script = Path(sysconfig.get_path("scripts")) / name
    if not script.exists():
        script = Path(shutil.which("channels") or sys.argv[0]).absolute()
    try:
        return f"{project}/{script.relative_to(project_dir(env.environ).absolute()).as_posix()}"
    except ValueError:
        return str(script)


def _merge(path: Path, change: Callable[[JSON], None], what: str) -> str:
    before = read_json(path)
    after = copy.deepcopy(before)
    change(after)
    if after == before:
        return f"{path} has {what} already"
    try:
        backup = _backup(path)
        _write(path, after)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}); it is as it was") from error
    return f"{path} has {what} now" + (f"; what it was is kept as {backup.name}" if backup else "")


def _backup(path: Path) -> Path | None:
    if not path.exists():
        return None
    names = (path.with_name(f"{path.name}.backup{number or ''}") for number in range(1000))
    backup = next(name for name in names if not name.exists())
    shutil.copy2(path, backup)
    return backup


def _write(path: Path, found: JSON) -> None:
    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    text = real.read_text(encoding="utf-8") if real.exists() else ""
    indent = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    draft = real.with_name(f"{real.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps(found, ensure_ascii=False, indent=indent[1] if indent else 2) + "\n", encoding="utf-8")
    if real.exists():
        shutil.copymode(real, draft)
    os.replace(draft, real)  # noqa: PTH105 - one step on one file system
