"""What `channels setup` writes into a host's files, and takes out again: the server and the hooks.

The rest of each file stays as it is, byte for byte.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import agent_channels
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.json_files import program_in_project, shared_server_entry
from agent_channels.core.host.config_files import (
    config_dir,
    foreign_server,
    hook_command,
    is_turn_hook,
    json_object,
    read_text,
    settings_files,
    to_fix_first,
)
from agent_channels.core.host.hook_call import EVENTS, hook_entry
from agent_channels.core.host.hook_lists import add_missing_hooks, is_gone, remove_hooks, runs_ours
from agent_channels.core.host.json_text import edited
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import data_dir, expand_home, project_dir
from agent_channels.core.settings.private_files import ensure_private_dir, write_atomically

__all__ = [
    "Removal",
    "add_hooks",
    "add_server",
    "add_to_file",
    "backup_folder",
    "hooks_file",
    "is_in_project",
    "removals",
    "remove_if_empty",
    "servers_file",
    "shipped_hooks",
    "turn_hooks",
]

JSON = dict[str, Any]
PROMPT_EVENT = "UserPromptSubmit"
# A file without this word has nothing of ours: what somebody else broke in it must not keep ours in all other files.
OURS = "channels"


def servers_file(env: Environment) -> Path:
    """Return the path of the project's .mcp.json."""
    return project_dir(env.environ) / ".mcp.json"


def hooks_file(env: Environment) -> Path:
    """Return the path of this user's own settings for the project, which are not for its repository."""
    return project_dir(env.environ) / ".claude" / "settings.local.json"


def backup_folder(project: Path) -> Path:
    """Return the folder, outside of every repository, in which a project's files are kept as they were.

    It may not exist.
    """
    place = project.absolute()
    return data_dir() / "backups" / f"{place.name or 'root'}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"


def add_server(row: Channel, env: Environment) -> str:
    """Enter this channel's server into .mcp.json; return what was done, in words.

    An entry that starts this program stays as it is. Raises `ConfigError` if the file is not a JSON object or cannot
    be written; it is unchanged then.
    """
    path = servers_file(env)

    def change(found: JSON) -> None:
        servers = found.setdefault("mcpServers", {})
        if not isinstance(servers, dict):
            raise ConfigError(sentence("mcpServers in {path} is not an object; fix it first", path=path))
        entry = servers.get(row.name)
        if foreign_server(row.name, entry, row.name, env.environ) == "":
            return
        servers[row.name] = shared_server_entry(env, [secret.name for secret in row.secrets])

    return _merge(project_dir(env.environ), path, change, sentence("the server {name!r}", name=row.name))


def add_hooks(env: Environment, servers: Sequence[str]) -> str:
    """Enter our hooks into this user's settings for the project; return what was done. Raises as `add_server` does.

    Those of ours in the settings that come with the repository are taken out: they would run twice. `servers` are our
    names in the host's list, which the hooks of turns call, and no others: for one that is not in it the host shows an
    error at every step. Where they are called, they do what the command `hook prompt` does elsewhere.
    """
    path, shipped, project = hooks_file(env), shipped_hooks(env), project_dir(env.environ)
    shared = path.with_name("settings.json")

    def change(found: JSON) -> None:
        hooks = _hooks_in(found, path)
        for event, groups in shipped.items():
            installed = _groups_in(hooks, event, path)
            if event == PROMPT_EVENT and servers:
                remove_hooks(installed, lambda entry: (hook_command(entry) or ("",))[0] == "prompt")
            else:
                for group in groups:
                    add_missing_hooks(installed, group, env.environ)
        for event, added in turn_hooks(servers).items():
            groups = _groups_in(hooks, event, path)
            remove_hooks(groups, is_turn_hook)
            groups += added
        for event in [event for event, groups in hooks.items() if not groups]:
            del hooks[event]

    done = _merge(project, path, change, "the hooks")
    if shared.exists():
        moved = _merge(project, shared, lambda found: _take_out_hooks(found, set(), env.environ), "them")
        if not moved.endswith("already"):
            done = joined([done, sentence("{path} has none of them any more", path=shared)])
    return done


def add_to_file(file: HostFile, environ: Mapping[str, str]) -> str:
    """Enter ours into a file of any host's; return what was done. Raises as `add_server` does."""
    return _rewrite(project_dir(environ), file.path, file.add, file.what, in_project=is_in_project(file.path, environ))


def is_in_project(path: Path, environ: Mapping[str, str]) -> bool:
    """Return whether a file is the project's; else it is this user's own, for all that they do."""
    return path.absolute().is_relative_to(project_dir(environ).absolute())


def remove_if_empty(folder: Path) -> None:
    """Remove a host's hidden folder, such as `.claude`, or one below it, in which nothing is left."""
    for above in (folder, *folder.parents):
        if not any(part.startswith(".") for part in above.parts) or above == expand_home("~"):
            return
        try:
            above.rmdir()
        except OSError:
            return


@frozen
class Removal:
    """What `channels uninstall` takes out of one file of the host; `text` is the rest, None if nothing is left."""

    path: Path
    what: str
    text: str | None

    def carry_out(self) -> None:
        """Write the rest of the file. Raises `ConfigError` if it cannot be written; it is unchanged then."""
        try:
            if self.text is None:
                self.path.resolve().unlink()
                remove_if_empty(self.path.parent)
            else:
                write_atomically(self.path.resolve(), self.text, mode=None)
        except OSError as error:
            raise ConfigError(
                sentence(
                    "{path} cannot be written ({error}); it is unchanged", path=self.path, error=error.strerror or error
                )
            ) from error


def removals(channels: Sequence[str], environ: Mapping[str, str]) -> list[Removal]:
    """Return what there is of ours in the host's files of this project and this user, and what would be left of them.

    Raises `ConfigError` for a file that cannot be read and may have something of ours.
    """
    project, found = project_dir(environ), []
    names: set[str] = set()
    for path in (project / ".mcp.json", config_dir(environ).parent / ".claude.json"):
        ours: list[str] = []

        def take_out(content: JSON, ours: list[str] = ours) -> None:
            ours += _take_out_servers(content, channels, environ)
            for key, own in (
                (content.get("projects") or {}).items() if isinstance(content.get("projects"), dict) else ()
            ):
                if key == str(project.absolute()) and isinstance(own, dict):
                    ours += _take_out_servers(own, channels, environ)

        removal = _removal(path, take_out, sentence("the server in"))
        names |= set(ours)
        if removal is not None:
            found.append(removal)
    called = names | set(channels)
    for path in settings_files(environ):
        removal = _removal(path, lambda content: _take_out_hooks(content, called, environ), sentence("the hooks in"))
        if removal is not None:
            found.append(removal)
    return _removals_of_hosts({removal.path: removal for removal in found}, channels, environ)


def _removals_of_hosts(
    found: dict[Path, Removal], channels: Sequence[str], environ: Mapping[str, str]
) -> list[Removal]:
    """Return what is found with what there is of ours in the files of all known hosts; several may share a file."""
    from agent_channels.core.host.agents.registry import AGENT_HOSTS

    environments = [Environment(name, environ) for name in channels]
    for file in (file for host in AGENT_HOSTS.values() if host.files for file in host.files(environments)):
        known = found.get(file.path)
        before = read_text(file.path) if known is None else known.text
        if not before or _leads_out(project_dir(environ), file.path, environ):
            continue
        try:
            after = file.remove(before)
        except ConfigError:
            if OURS in before:
                raise
            continue
        if after != before:
            what = sentence("{what} in", what=file.what) if known is None else known.what
            found[file.path] = Removal(file.path, what, after or None)
    return list(found.values())


def _leads_out(project: Path, path: Path, environ: Mapping[str, str]) -> bool:
    """Return whether a file of the project is a link to one that is not."""
    return is_in_project(path, environ) and not path.resolve().is_relative_to(project.resolve())


def _removal(path: Path, take_out: Callable[[JSON], None], what: str) -> Removal | None:
    text = read_text(path)
    try:
        before = json_object(path, text)
    except ConfigError:
        if OURS in text:
            raise
        return None
    after = copy.deepcopy(before)
    take_out(after)
    if after == before:
        return None
    return Removal(path, what, edited(text, after) if after else None)


def _take_out_servers(content: JSON, channels: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Take our entries out of an object with `mcpServers`; return their names."""
    servers = content.get("mcpServers")
    if not isinstance(servers, dict):
        return []
    names = [name for name, entry in servers.items() if _is_our_server(name, entry, channels, environ)]
    for name in names:
        del servers[name]
    if names and not servers:
        del content["mcpServers"]
    return names


def _is_our_server(name: str, entry: object, channels: Sequence[str], environ: Mapping[str, str]) -> bool:
    for channel in channels:
        if foreign_server(name, entry, channel, environ) == "":
            return True
        if isinstance(entry, dict) and entry.get("args") == ["serve", channel]:
            return is_gone(str(entry.get("command") or ""), environ)
    return False


def _take_out_hooks(content: JSON, servers: set[str], environ: Mapping[str, str]) -> None:
    """Take our commands out of a settings file's content, and the hooks that call one of these servers."""
    hooks = content.get("hooks")
    if not isinstance(hooks, dict):
        return

    def ours(entry: JSON) -> bool:
        if is_turn_hook(entry):
            return str(entry.get("server")) in servers
        return runs_ours(entry, environ)

    for event in list(hooks):
        if isinstance(hooks[event], list):
            before = len(hooks[event])
            remove_hooks(hooks[event], ours)
            if before and not hooks[event]:
                del hooks[event]
    if not hooks:
        del content["hooks"]


def turn_hooks(servers: Sequence[str]) -> dict[str, list[JSON]]:
    """Return the hooks that call the running servers, by event; empty lists without any."""
    return {
        event: [{"hooks": [hook_entry(event, server) for server in servers]}] if servers else [] for event in EVENTS
    }


def _hooks_in(found: JSON, path: Path) -> JSON:
    hooks = found.setdefault("hooks", {})
    if not isinstance(hooks, dict):
        raise ConfigError(sentence("hooks in {path} is not an object; fix it first", path=path))
    return hooks


def _groups_in(hooks: JSON, event: str, path: Path) -> list[Any]:
    groups = hooks.setdefault(event, [])
    if not isinstance(groups, list):
        raise ConfigError(sentence("hooks.{event} in {path} is not a list; fix it first", event=event, path=path))
    return groups


def shipped_hooks(env: Environment) -> dict[str, list[JSON]]:
    """Return our hooks by event, with this program's path filled in. Raises `ConfigError` if hooks.json is missing."""
    package = Path(agent_channels.__file__).parent
    path = next((p for p in (package / "hooks.json", package.parents[1] / "hooks" / "hooks.json") if p.is_file()), None)
    if path is None:
        raise ConfigError(sentence("hooks.json is missing beside {package}; reinstall this program", package=package))
    hooks: dict[str, list[JSON]] = json.loads(path.read_text(encoding="utf-8"))["hooks"]
    program = program_in_project(env, "${CLAUDE_PROJECT_DIR}")
    quoted = f'"{program}"' if program.startswith("$") else shlex.quote(program)
    for hook in (hook for groups in hooks.values() for group in groups for hook in group["hooks"]):
        hook["command"] = re.sub(r"^.* hook (\w+)$", lambda match: f"{quoted} hook {match[1]}", hook["command"])
    return hooks


def _merge(project: Path, path: Path, change: Callable[[JSON], None], what: str) -> str:
    def changed(text: str) -> str:
        with to_fix_first():
            before = json_object(path, text)
        after = copy.deepcopy(before)
        change(after)
        return text if after == before else edited(text, after)

    return _rewrite(project, path, changed, what)


def _rewrite(project: Path, path: Path, changed: Callable[[str], str], what: str, *, in_project: bool = True) -> str:
    """Replace a file's text by what `changed` returns for it, and keep a copy; return what was done."""
    if in_project and not path.resolve().is_relative_to(project.resolve()):
        # A repository may bring a link to a file of the user's.
        raise ConfigError(
            sentence(
                "{path} leads out of the project, to {target}; it is unchanged: replace the link",
                path=path,
                target=path.resolve(),
            )
        )
    with to_fix_first():
        before = read_text(path)
    after = changed(before)
    if after == before:
        return sentence("{path} has {what} already", path=path, what=what)
    try:
        backup = _backup(project, path)
        real = path.resolve()
        real.parent.mkdir(parents=True, exist_ok=True)
        # A link stays, and the file it leads to is replaced.
        write_atomically(real, after, mode=None)
    except OSError as error:
        raise ConfigError(
            sentence("{path} cannot be written ({error}); it is unchanged", path=path, error=error.strerror or error)
        ) from error
    done = sentence("{path} has {what} now", path=path, what=what)
    return joined([done, sentence("the old file is kept as {backup}", backup=backup)]) if backup else done


def _backup(project: Path, path: Path) -> Path | None:
    """Keep a copy of a file outside of the repository, where no commit picks it up; return it, None without a file."""
    if not path.exists():
        return None
    folder = ensure_private_dir(backup_folder(project))
    backup = next(name for name in _numbered(folder / path.name) if not os.path.lexists(name))
    shutil.copy2(path, backup)
    return backup


def _numbered(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}.{number}") for number in range(1, 10_000))
