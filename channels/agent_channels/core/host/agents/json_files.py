"""The common pieces of a host's JSON files: our servers in its list, our hooks, each with the way back."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.config_files import PLACES, is_this_program, json_object, to_fix_first
from agent_channels.core.host.hook_lists import add_missing_hooks, called_server, is_gone, remove_hooks, runs_ours
from agent_channels.core.host.json_text import comments_in, edited, without_comments
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.program import is_on_path, own_script
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, project_dir

__all__ = [
    "JsonPart",
    "command_hook",
    "command_words",
    "hook_groups",
    "hooks_part",
    "is_our_command",
    "json_file",
    "program_in_project",
    "server_command",
    "server_entry",
    "server_variables",
    "servers_part",
    "shared_server_entry",
    "starts_here",
]

JSON = dict[str, Any]


@frozen
class JsonPart:
    """One thing of ours in a JSON object: both change the object in place, and leave it as it is where nothing is due.

    `add` raises `ConfigError` for an object in which there is no place for it.
    """

    add: Callable[[JSON], None]
    remove: Callable[[JSON], None]


def json_file(path: Path, what: str, *parts: JsonPart, comments: bool = False) -> HostFile:
    """Return a JSON file with these things of ours; the rest of its text stays byte for byte.

    `comments`: the host takes comments in it, and a comma behind the last item.
    """

    def changed(text: str, changes: Iterable[Callable[[JSON], None]]) -> str:
        with to_fix_first():
            before = json_object(path, without_comments(text) if comments else text)
        after = copy.deepcopy(before)
        try:
            for change in changes:
                change(after)
        except ConfigError as error:
            raise ConfigError(sentence("{path}: {error}", path=path, error=words_of(error))) from error
        if after == before:
            return text
        return edited(text, after, comments=comments) if after else ""

    def add(text: str) -> str:
        added = changed(text, [part.add for part in parts])
        if comments and comments_in(added) != comments_in(text):
            raise ConfigError(
                sentence("{path} has comments that would be lost; enter {what} by hand", path=path, what=what)
            )
        return added

    return HostFile(
        path,
        what,
        add=add,
        remove=lambda text: changed(text, [part.remove for part in parts]),
    )


# ---- servers


def server_command(env: Environment) -> list[str]:
    """Return the command line by which a host starts this channel's server."""
    return ["channels" if is_on_path(env.environ) else str(own_script()), "serve", env.channel]


def server_variables(env: Environment) -> dict[str, str]:
    """Return what the server has to be told by its host: the project, and which of the user's folders are elsewhere."""
    named = (f"{env.channel.upper()}_STATE_DIR", *PLACES)
    found = {name: value for name in named if (value := env_value(name, env.environ))}
    return {"CLAUDE_PROJECT_DIR": str(project_dir(env.environ).absolute()), **found}


def server_entry(env: Environment) -> JSON:
    """Return the entry that most hosts have in `mcpServers`: command, args, env."""
    program, *args = server_command(env)
    return {"command": program, "args": args, "env": server_variables(env)}


def shared_server_entry(env: Environment, secrets: Sequence[str] = ()) -> JSON:
    """Return a server's entry for a file that is shared with others, so nothing of this machine stands in it.

    `secrets` are the names, without the channel's, of what the server needs besides its token.
    """
    upper = env.channel.upper()
    names = [f"{upper}_{end}" for end in ("STATE_DIR", "BOT_TOKEN", *secrets, "API_ROOT", "PROXY")]
    values = {name: f"${{{name}:-}}" for name in (*names, "CHANNELS_MODE", "CHANNELS_CLAIM")}
    if env_value(names[0], env.environ):
        # The shell that starts the host may not set it.
        values[names[0]] = f"${{{names[0]}:-{env.state_dir}}}"
    program = "channels" if is_on_path(env.environ) else program_in_project(env, "${CLAUDE_PROJECT_DIR:-.}")
    return {"command": program, "args": ["serve", env.channel], "env": values}


def program_in_project(env: Environment, project: str) -> str:
    """Return the path by which a host starts this program: below `project`, its variable, if it is in the project."""
    script = own_script()
    try:
        return f"{project}/{script.relative_to(project_dir(env.environ).absolute()).as_posix()}"
    except ValueError:
        return str(script)


def servers_part(
    environments: Sequence[Environment],
    key: str = "mcpServers",
    entry: Callable[[Environment], JSON] = server_entry,
    stays: Callable[[object, Environment], bool] | None = None,
) -> JsonPart:
    """Return the servers of these channels in the object `key`; one of ours that is there stays as it is.

    One of the same name that starts another program is replaced. `stays`: what counts as ours (default: `starts_here`).
    """
    stays = stays or starts_here

    def add(content: JSON) -> None:
        servers = content.setdefault(key, {})
        if not isinstance(servers, dict):
            raise ConfigError(sentence("{key} is not an object; fix it first", key=key))
        for env in environments:
            if not stays(servers.get(env.channel), env):
                servers[env.channel] = entry(env)

    def remove(content: JSON) -> None:
        servers = content.get(key)
        if not isinstance(servers, dict):
            return
        ours = [
            name
            for name, found in servers.items()
            if any(is_our_command(command_words(found), env) for env in environments)
        ]
        for name in ours:
            del servers[name]
        if ours and not servers:
            del content[key]

    return JsonPart(add, remove)


def command_words(entry: object) -> list[str]:
    """Return the command line of an entry, whose command is a word or all of them."""
    if not isinstance(entry, Mapping):
        return []
    command, args = entry.get("command"), entry.get("args")
    words = [*(command if isinstance(command, list) else [command]), *(args if isinstance(args, list) else [])]
    return [str(word) for word in words]


def starts_here(entry: object, env: Environment) -> bool:
    """Return whether an entry starts this channel's server by the program that runs now, as we would enter it.

    A repository may bring an entry that starts it for another project, or has it connect to another server.
    """
    given = entry if isinstance(entry, Mapping) else {}
    ours = server_variables(env)
    for variables in (given.get("env"), given.get("environment")):
        if variables is not None and not (isinstance(variables, Mapping) and variables.items() <= ours.items()):
            return False
    words = command_words(entry)
    return words[1:] == ["serve", env.channel] and is_this_program(words[0], env.environ)


def is_our_command(words: Sequence[str], env: Environment) -> bool:
    """Return whether a command line starts this channel's server by this program, or one of its name that is gone."""
    if list(words[1:]) != ["serve", env.channel]:
        return False
    return is_this_program(words[0], env.environ) or is_gone(words[0], env.environ)


# ---- hooks


def command_hook(name: str, timeout: int, host: str = "") -> JSON:
    """Return a host's hook entry that runs our hook of this name; `timeout` is in the host's own unit.

    `host`: whose JSON the hook has to speak (hooks/hosts); "" for a host that speaks as Claude Code does.
    """
    program = shlex.quote(str(own_script())) if os.name == "posix" else f'"{own_script()}"'
    told = f" --host {host}" if host else ""
    return {"type": "command", "command": f"{program} hook {name}{told}", "timeout": timeout}


def hook_groups(commands: Mapping[str, tuple[str, int]], host: str) -> dict[str, list[JSON]]:
    """Return groups of one hook each, as `hooks_part` takes them, from the name and timeout of our hook by event."""
    return {event: [{"hooks": [command_hook(name, timeout, host)]}] for event, (name, timeout) in commands.items()}


def hooks_part(groups: Mapping[str, Sequence[JSON]], environ: Mapping[str, str], key: str = "hooks") -> JsonPart:
    """Return our hooks in the object `key`: for each event a list of groups `{matcher?, hooks: [entry]}`.

    An entry is a command (`command_hook`), or a call of our server's tool. What is there already is brought up to date.
    """
    servers = {called_server(entry) for found in groups.values() for group in found for entry in group["hooks"]} - {""}

    def is_ours(entry: JSON) -> bool:
        return runs_ours(entry, environ) or called_server(entry) in servers

    def add(content: JSON) -> None:
        events = content.setdefault(key, {})
        for event, group in ((event, group) for event, ours in groups.items() for group in ours):
            if not isinstance(events, dict) or not isinstance(events.setdefault(event, []), list):
                raise ConfigError(sentence("{key} does not hold lists of hooks by event; fix it first", key=key))
            add_missing_hooks(events[event], group, environ)

    def remove(content: JSON) -> None:
        events = content.get(key)
        if not isinstance(events, dict):
            return
        for event in [event for event, found in events.items() if isinstance(found, list)]:
            had = len(events[event])
            remove_hooks(events[event], is_ours)
            if had and not events[event]:
                del events[event]
        if not events:
            del content[key]

    return JsonPart(add, remove)
