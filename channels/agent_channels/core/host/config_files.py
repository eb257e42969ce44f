"""The files through which an agent host knows this program: the project's MCP servers, its settings, its policy."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.hook_call import EVENTS
from agent_channels.core.host.protocol import HOOK_TOOL
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.paths import env_value, expand_home, project_dir
from agent_channels.core.settings.validation import json_kind
from agent_channels.core.text.sanitize import label

__all__ = [
    "PLACES",
    "HookCommand",
    "config_dir",
    "enabled_plugin",
    "foreign_server",
    "foreign_variables",
    "hook_command",
    "hook_commands",
    "hook_entries",
    "is_this_program",
    "is_turn_hook",
    "json_object",
    "managed_files",
    "program_exists",
    "read_json",
    "read_text",
    "settings_files",
    "to_fix_first",
    "turn_hook_servers",
]

_HOOK = lazy_pattern(
    r"\bhook\s+(bell|stop|prompt|session|step|dialog|permission|question|end)(?:\s+--host\s+([a-z]+))?\s*$"
)
# The names that the host takes for a server.
_NAME = lazy_pattern(r"[A-Za-z0-9_-]{1,64}")
MAX_BYTES = 4 * 1024 * 1024
# What an entry of the host's list may hold: not an address to connect to instead, nor a file of variables.
_ENTRY = {"type", "command", "args", "env", "timeout", "alwaysLoad", "description", "disabled"}
# What decides which program runs, for which project, whom it trusts, where it connects and from where files are sent.
_STEERS = lazy_pattern(
    r"CLAUDE_PROJECT_DIR|HOME|PATH|TMPDIR|TEMP|TMP|(CHANNELS|PIP|PYTHON|LD|DYLD|SSL|XDG|PG)\w*|\w+_CA_BUNDLE"
)
# Where this user's programs meet; a host that starts its servers with few variables has to be told of them.
PLACES = ("CHANNELS_DATA_DIR", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_PLUGIN = lazy_pattern(r"agent-channels@[A-Za-z0-9._-]{1,100}")
HookCommand = tuple[str, str]
"""One of our hooks: its name, and the program that its command starts."""


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; {} if there is no such file or it is empty.

    Raises `ConfigError` naming the file, and where it stops being JSON.
    """
    return json_object(path, read_text(path))


def read_text(path: Path) -> str:
    """Return a file's text with its line ends, "" if there is no such file. Raises `ConfigError` naming the file."""
    try:
        return _read_bounded(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise ConfigError(
            sentence("{path} cannot be read: {error}", path=path, error=error.strerror or error)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(sentence("{path} is not UTF-8: {error}", path=path, error=error)) from error


def json_object(path: Path, text: str) -> dict[str, Any]:
    """Return the JSON object that a file's text is; {} for an empty one. Raises `ConfigError` as `read_json` does."""
    try:
        found = json.loads(text) if text.strip() else {}
    except RecursionError as error:
        raise ConfigError(sentence("{path} is nested too deeply; fix it first", path=path)) from error
    except ValueError as error:
        raise ConfigError(sentence("{path} is not JSON: {error}", path=path, error=error)) from error
    if not isinstance(found, dict):
        raise ConfigError(
            sentence("{path} must hold a JSON object; it holds {value}", path=path, value=json_kind(found))
        )
    return found


@contextlib.contextmanager
def to_fix_first() -> Iterator[None]:
    """Say, where a file cannot be read, that this has to be fixed before it is changed."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(sentence("{error}; fix it first", error=words_of(error))) from error


def _read_bounded(path: Path) -> str:
    """Return a file's text. Raises OSError, also for a pipe or a device, and `ConfigError` if it is too large."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigError(
            sentence(
                "{path} has more than {max_bytes:,} bytes, so it was not read; fix it first",
                path=path,
                max_bytes=MAX_BYTES,
            )
        )
    return data.decode("utf-8")


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the host's own folder in the user's home."""
    return Path(
        env_value("CLAUDE_CONFIG_DIR", environ) or Path(env_value("HOME", environ) or expand_home("~")) / ".claude"
    )


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the host's settings files for this project, in order of precedence, highest first."""
    project = project_dir(environ) / ".claude"
    return [project / "settings.local.json", project / "settings.json", config_dir(environ) / "settings.json"]


def enabled_plugin(environ: Mapping[str, str]) -> str | None:
    """Return our plugin with its marketplace, such as `agent-channels@ours`, if it is enabled; else None.

    A project's settings may come with a repository: what they enable counts only if this user installed it.
    """
    own = config_dir(environ)
    installed = _object(own / "plugins" / "installed_plugins.json").get("plugins")
    plugins: dict[str, bool] = {}
    for path in settings_files(environ):
        enabled = _object(path).get("enabledPlugins")
        for name, on in enabled.items() if isinstance(enabled, dict) else ():
            if path.parent == own or not on or (isinstance(installed, dict) and name in installed):
                plugins.setdefault(name, bool(on))
    found = (name for name, on in plugins.items() if on and _PLUGIN.fullmatch(name))
    return next(found, None)


def _object(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; {} if it cannot be read. The doctor's check `hooks` names such a file."""
    try:
        return read_json(path)
    except ConfigError:
        return {}


def managed_files() -> list[Path]:
    """Return the files of an organisation's settings, which nobody can override (see the host's documentation)."""
    folder = {
        "darwin": Path("/Library/Application Support/ClaudeCode"),
        "win32": Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "ClaudeCode",
    }.get(sys.platform, Path("/etc/claude-code"))
    return [folder / "managed-settings.json", *sorted((folder / "managed-settings.d").glob("*.json"))]


def foreign_server(name: str, entry: object, channel: str, environ: Mapping[str, str]) -> str | None:
    """Return why an entry of `mcpServers` is not this program serving this channel, "" if it is.

    None for an entry that has nothing to do with it: neither its name nor its arguments say so.
    """
    if not isinstance(entry, dict):
        return None
    raw = entry.get("args")
    args = [str(word) for word in raw] if isinstance(raw, list) else []
    if name != channel and args[-2:] != ["serve", channel]:
        return None
    if not _NAME.fullmatch(name):
        return sentence("its name {name!r} is not a plain name", name=name[:40])
    command = str(entry.get("command") or "")
    if not program_exists(command, environ):
        return sentence("it starts a program that does not exist, {command!r}", command=command[:200])
    if not (is_this_program(command, environ) and args == ["serve", channel]):
        started = shlex.join([command, *args])[:200]
        return sentence("it starts {command!r}, which is not this program", command=started)
    if entry.keys() - _ENTRY or entry.get("type", "stdio") != "stdio":
        odd = sorted(str(key) for key in entry.keys() - _ENTRY) or ["type"]
    else:
        env = entry.get("env") or {}
        odd = (
            [str(key) for key, value in env.items() if not _passes_on(str(key), value, channel, environ)]
            if isinstance(env, dict)
            else ["env"]
        )
    names = joined((label(key, 40) for key in odd[:5]), ", ")
    return sentence("it sets {names} for the server", names=names) if odd else ""


def foreign_variables(channel: str, environ: Mapping[str, str]) -> str:
    """Return which variables the project's own settings set that steer this program, and where; "" without any."""
    for path in settings_files(environ)[:2]:
        found = _object(path).get("env")
        steering = [
            key
            for key, value in (found.items() if isinstance(found, dict) else ())
            if (_STEERS.fullmatch(key) or key.startswith(f"{channel.upper()}_"))
            and not _passes_on(key, value, channel, environ)
        ]
        if steering:
            names = joined((label(key, 40) for key in steering[:5]), ", ")
            return sentence("{names} in {path}", names=names, path=path)
    return ""


def _passes_on(key: str, value: object, channel: str, environ: Mapping[str, str]) -> bool:
    """Return whether a variable leaves the decision to the user's environment; the state folder is checked."""
    prefix = channel.upper()
    if key == f"{prefix}_STATE_DIR":
        return True
    if key == "CLAUDE_PROJECT_DIR":
        # Any file of the project may be sent, so another one is somebody's decision.
        return value in {f"${{{key}}}", f"${{{key}:-.}}", ".", str(project_dir(environ))}
    if key in PLACES and value == env_value(key, environ):
        return True
    ours = key.startswith((f"{prefix}_", "CHANNELS_"))
    return ours and isinstance(value, str) and value in {"", f"${{{key}:-}}", f"${{{key}}}"}


def is_this_program(command: str, environ: Mapping[str, str]) -> bool:
    """Return whether a command is the program that runs now, or that its plugin starts. Variables are filled in."""
    found = _find_program(command, environ)
    return found is not None and os.path.realpath(found) in _own_programs()


def _own_programs() -> set[str]:
    name = "channels.exe" if sys.platform == "win32" else "channels"
    candidates = [Path(sysconfig.get_path("scripts")) / name]
    if Path(sys.argv[0]).name == name:
        candidates.append(Path(sys.argv[0]))
    return {os.path.realpath(path) for path in candidates if path.exists()}


def program_exists(command: str, environ: Mapping[str, str]) -> bool:
    """Return whether an entry's command is a program that can run here. Variables in it are filled in."""
    return _find_program(command, environ) is not None


def _find_program(command: str, environ: Mapping[str, str]) -> str | None:
    def value(match: re.Match[str]) -> str:
        known = {**environ, "CLAUDE_PROJECT_DIR": str(project_dir(environ))}
        return known.get(match[1]) or match[2] or ""

    filled = re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, command)
    if os.sep in filled and not Path(filled).is_absolute():
        filled = str(project_dir(environ) / filled)
    return shutil.which(filled, path=environ.get("PATH"))


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


def is_turn_hook(entry: object) -> bool:
    """Return whether a hook entry is one of ours that calls a running server."""
    if not isinstance(entry, dict) or entry.get("type") != "mcp_tool" or entry.get("tool") != HOOK_TOOL:
        return False
    given = entry.get("input")
    return isinstance(given, dict) and given.get("event") in EVENTS


def turn_hook_servers(settings: Mapping[str, Any]) -> set[str]:
    """Return which servers our hooks in the content of a settings file call."""
    hooks = settings.get("hooks")
    groups = hooks.values() if isinstance(hooks, dict) else ()
    entries = (entry for group in groups for entry in hook_entries(group) if is_turn_hook(entry))
    return {str(entry.get("server")) for entry in entries}


def hook_command(entry: Mapping[str, Any]) -> HookCommand | None:
    """Return which of our hooks an entry runs; None if it is not ours."""
    command = str(entry.get("command") or "")
    found = _HOOK.search(command)
    if not found or "channels" not in command:
        return None
    try:
        # A hook of another kind sends what happens elsewhere.
        words = shlex.split(command) if entry.get("type") in {"command", None} else []
    except ValueError:
        words = []
    # Anything more than the program, the verb, the name and the host is another command.
    ours = ["hook", found[1], *(["--host", found[2]] if found[2] else [])]
    return found[1], words[0] if words[1:] == ours else command
