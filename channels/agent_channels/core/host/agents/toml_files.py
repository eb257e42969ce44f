"""Our servers and hooks in a host's TOML file; the rest of it stays as it is, byte for byte.

Ours are tables at the file's end, so nobody else's text has to be written anew. A file in which `servers = {...}` or
`hooks = [...]` leaves no place for such a table is rewritten there, by a library that keeps most of its style.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.json_files import command_words, is_our_command, starts_here
from agent_channels.core.host.hook_lists import runs_ours
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config import Environment

__all__ = ["toml_hooks", "toml_servers"]

HOOKS = "hooks"
_HEADER = lazy_pattern(r"[ \t]*\[")
_LONG = ('"""', "'''")
# Strings and comments; what looks like a table within one that goes on for lines is none.
_STRING = lazy_pattern(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
Table = dict[str, Any]


def toml_servers(
    path: Path, environments: Sequence[Environment], key: str, entry: Callable[[Environment], Table]
) -> HostFile:
    """Return a TOML file with the servers of these channels as tables below `key`; one of ours stays as it is.

    One of the same name that starts another program is replaced.
    """

    def servers_in(content: Table) -> Table:
        found = content.get(key, {})
        if not isinstance(found, dict):
            raise ConfigError(sentence("{path}: {key} is not a table; fix it first", path=path, key=key))
        return found

    def add(text: str) -> str:
        content = _parsed(path, text)
        servers = servers_in(content)
        missing = {env.channel: entry(env) for env in environments if not starts_here(servers.get(env.channel), env)}
        if not missing:
            return text
        kept = _without(text, lambda header, _: header[:1] == (key,) and {*header[1:2]} & {*missing})
        added = _with(kept, [table for name, one in missing.items() for table in _tables(f"{key}.{name}", one)])
        return _meaning(path, key, {**servers, **missing}, content, added, text)

    def remove(text: str) -> str:
        content = _parsed(path, text)
        servers = content.get(key, {})
        ours = {
            name
            for name, found in (servers if isinstance(servers, dict) else {}).items()
            if any(is_our_command(command_words(found), env) for env in environments)
        }
        if not ours:
            return text
        rest = _without(text, lambda header, _: header[:1] == (key,) and {*header[1:2]} & ours)
        left = {name: found for name, found in servers.items() if name not in ours}
        return _meaning(path, key, left, content, rest, text)

    return HostFile(path, sentence("the server"), add, remove)


def toml_hooks(path: Path, hooks: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> HostFile:
    """Return a TOML file with these hooks, each a table `[[hooks]]` with a command of ours for an event.

    One for the same event that starts another program, or is no longer as it should be, is replaced.
    """

    def hooks_in(content: Table) -> tuple[list[Table], set[int]]:
        """The hooks that are there, and the places of ours among them."""
        found = content.get(HOOKS, [])
        if not isinstance(found, list) or not all(isinstance(hook, dict) for hook in found):
            raise ConfigError(sentence("{key} in {path} is not a list; fix it first", key=HOOKS, path=path))
        return found, {at for at, hook in enumerate(found) if runs_ours({"command": str(hook.get("command"))}, environ)}

    def changed(text: str, wanted: list[Table]) -> str:
        content = _parsed(path, text)
        found, ours = hooks_in(content)
        if [found[at] for at in sorted(ours)] == wanted:
            return text
        rest = _without(text, lambda header, at: header[:1] == (HOOKS,) and at in ours)
        added = _with(rest, [f"[[{HOOKS}]]\n{_pairs(hook)}" for hook in wanted])
        others = [hook for at, hook in enumerate(found) if at not in ours]
        return _meaning(path, HOOKS, [*others, *wanted], content, added, text)

    return HostFile(
        path,
        sentence("the hooks"),
        add=lambda text: changed(text, [dict(hook) for hook in hooks]),
        remove=lambda text: changed(text, []),
    )


# ---- the text


def _tables(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return an entry as tables: its own, and one for each object in it."""
    within = {key: value for key, value in entry.items() if isinstance(value, dict)}
    plain = {key: value for key, value in entry.items() if key not in within}
    return [f"[{name}]\n{_pairs(plain)}", *(f"[{name}.{key}]\n{_pairs(value)}" for key, value in within.items())]


def _pairs(values: Mapping[str, Any]) -> str:
    # A word, a list of words, a number, and yes or no are the same in JSON; DEL alone is not.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n".replace("\x7f", "\\u007f") for key, value in values.items()
    )


def _with(text: str, tables: Sequence[str]) -> str:
    """Return a text with tables at its end, each after a blank line."""
    newline = "\r\n" if "\r\n" in text else "\n"
    for table in tables:
        if text and not text.endswith("\n"):
            text += newline
        text += (newline if text else "") + table.replace("\n", newline)
    return text


def _without(text: str, ours: Callable[[tuple[str, ...], int], object]) -> str:
    """Return a text without tables of ours, each with the blank line above it.

    `ours` is asked with a table's header, and how many `[[header]]` of the same name stand above it. Comments behind
    the last value of a table belong to what follows.
    """
    lines = text.split("\n")
    masked = _STRING.sub(lambda found: re.sub(r"[^\n]", "x", found[0]) if found[0][:3] in _LONG else found[0], text)
    starts = [(at, header) for at, line in enumerate(masked.split("\n")) if (header := _header(line))]
    counts: dict[tuple[str, ...], int] = {}
    dropped: set[int] = set()
    for number, (start, header) in enumerate(starts):
        if lines[start].lstrip().startswith("[["):
            counts[header] = counts.get(header, -1) + 1
        if not ours(header, counts.get(header[:1], -1)):
            continue
        end = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
            end -= 1
        dropped.update(range(start - 1 if start and not lines[start - 1].strip() else start, end))
    rest = "\n".join(line for at, line in enumerate(lines) if at not in dropped)
    # The blank line that set ours off at the top of the file is below them.
    return rest.lstrip("\r\n") if 0 in dropped else rest


def _header(line: str) -> tuple[str, ...]:
    """Return the names in a table's header; () for any other line."""
    if not _HEADER.match(line):
        return ()
    try:
        found: Any = tomllib.loads(line.rstrip())
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    names: list[str] = []
    while found:
        found = found[0] if isinstance(found, list) else found
        if not found:
            break
        ((name, found),) = found.items()
        names.append(name)
    return tuple(names)


# ---- what it means


def _meaning(path: Path, key: str, value: Collection[Any], content: Table, changed: str, text: str) -> str:
    """Return the changed text if it means the content with this value, else the text rewritten at the key.

    Raises `ConfigError` if that does not mean it either.
    """
    after = {name: found for name, found in content.items() if name != key} | ({key: value} if value else {})
    for rewrites in (False, True):
        try:
            result = _rewritten(text, key, value) if rewrites else changed
            found = tomllib.loads(result)
        # The library raises several errors of its own where it does not find its way.
        except Exception:  # noqa: BLE001, S112 - said below
            continue
        if {name: one for name, one in found.items() if name != key or one} == after:
            return result if result.strip() else ""
    raise ConfigError(
        sentence(
            "{path}: {key} is written in a way that is not changed here; enter the server by hand", path=path, key=key
        )
    )


def _rewritten(text: str, key: str, value: Collection[Any]) -> str:
    import tomlkit

    content = tomlkit.parse(text)
    if not value:
        del content[key]
    elif isinstance(value, dict) and isinstance(there := content.get(key), dict):
        for name in [name for name in there if name not in value]:
            del there[name]
        for name, one in value.items():
            if there.get(name) != one:
                there[name] = one
    else:
        content[key] = value
    return tomlkit.dumps(content)


def _parsed(path: Path, text: str) -> Table:
    """Return what a TOML text means. Raises `ConfigError`."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(sentence("{path} is not TOML: {error}; fix it first", path=path, error=error)) from error
