"""Our servers and hooks in a host's TOML file; the rest of it stays as it is, comments too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.json_files import command_words, is_our_command, starts_here
from agent_channels.core.host.hook_lists import runs_ours
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment

__all__ = ["toml_hooks", "toml_servers"]

HOOKS = "hooks"


def toml_servers(
    path: Path, environments: Sequence[Environment], key: str, entry: Callable[[Environment], dict[str, Any]]
) -> HostFile:
    """Return a TOML file with the servers of these channels as tables below `key`; one of ours stays as it is.

    One of the same name that starts another program is replaced.
    """

    def add(text: str) -> str:
        content = _parsed(path, text)
        if not isinstance(content.get(key, {}), MutableMapping):
            raise ConfigError(sentence("{path}: {key} is not a table; fix it first", path=path, key=key))
        missing = [env for env in environments if not starts_here(_servers(content, key).get(env.channel), env)]
        return _with(content, key, {env.channel: entry(env) for env in missing}) if missing else text

    def remove(text: str) -> str:
        content = _parsed(path, text)
        ours = [
            name
            for name, found in _servers(content, key).items()
            if any(is_our_command(command_words(found), env) for env in environments)
        ]
        if not ours:
            return text
        import tomlkit

        for name in ours:
            del content[key][name]
        if not content[key]:
            del content[key]
        rest = tomlkit.dumps(content)
        # The blank line that set ours off from what stood above.
        while rest.endswith("\n\n") and not text.endswith("\n\n"):
            rest = rest.removesuffix("\n")
        return rest if rest.strip() else ""

    return HostFile(path, sentence("the server"), add, remove)


def toml_hooks(path: Path, hooks: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> HostFile:
    """Return a TOML file with these hooks, each a table `[[hooks]]` with a command of ours for an event.

    One for the same event that starts another program, or is no longer as it should be, is replaced.
    """

    def split(content: Any) -> tuple[list[Any], list[Any]]:
        """The hooks that are there: ours, and others'."""
        found = content.get(HOOKS, [])
        if not isinstance(found, list) or not all(isinstance(hook, MutableMapping) for hook in found):
            raise ConfigError(sentence("{key} in {path} is not a list; fix it first", key=HOOKS, path=path))
        ours, others = list[Any](), list[Any]()
        for hook in found:
            (ours if runs_ours({"command": str(hook.get("command"))}, environ) else others).append(hook)
        return ours, others

    def add(text: str) -> str:
        content = _parsed(path, text)
        ours, others = split(content)
        if [dict(hook) for hook in ours] == [dict(hook) for hook in hooks]:
            return text
        return _with_hooks(content, [*others, *hooks])

    def remove(text: str) -> str:
        content = _parsed(path, text)
        ours, others = split(content)
        rest = _with_hooks(content, others) if ours else text
        return rest if rest.strip() else ""

    return HostFile(path, sentence("the hooks"), add, remove)


def _with_hooks(content: Any, hooks: Sequence[Mapping[str, Any]]) -> str:
    import tomlkit

    if HOOKS in content:
        del content[HOOKS]
    if hooks:
        tables = tomlkit.aot()
        for hook in hooks:
            table = tomlkit.table()
            table.update(hook)
            tables.append(table)
        content.append(HOOKS, tables)
    return tomlkit.dumps(content)


def _with(content: Any, key: str, entries: dict[str, Any]) -> str:
    import tomlkit

    if key not in content:
        content.add(key, tomlkit.table(is_super_table=True))
    for name, entry in entries.items():
        content[key][name] = entry
    return tomlkit.dumps(content)


def _parsed(path: Path, text: str) -> Any:
    """Return a TOML document. Raises `ConfigError`."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(sentence("{path} is not TOML: {error}; fix it first", path=path, error=error)) from error


def _servers(content: Any, key: str) -> MutableMapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, MutableMapping) else {}
