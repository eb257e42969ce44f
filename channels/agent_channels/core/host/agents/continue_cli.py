"""Continue CLI, as version 1.5.47 was measured.

Its servers stand in a list in its YAML file, which is the user's: it knows none of a project's. Its hooks are those of
Claude Code, with files of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import is_our_command, server_entry, starts_here
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, expand_home

__all__ = ["HOST"]

JSON = dict[str, Any]
KEY = "mcpServers"
_ITEM = lazy_pattern(r"( *)- ")


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    home = Path(env_value("HOME", environ) or expand_home("~"))
    path = Path(env_value("CONTINUE_GLOBAL_DIR", environ) or home / ".continue") / "config.yaml"
    return [
        HostFile(
            path,
            sentence("the server"),
            add=lambda text: _with_servers(path, text, environments),
            remove=lambda text: _without_servers(path, text, environments),
        )
    ]


def _with_servers(path: Path, text: str, environments: Sequence[Environment]) -> str:
    if not text.strip():
        # A file with nothing but a server would replace the models that Continue brings along.
        raise ConfigError(sentence("{path} does not exist; start Continue once, which writes it", path=path))
    for env in environments:
        if any(starts_here(entry, env) for entry in _servers(path, text)):
            continue
        # The list is every project's: the one that was set up last has the server.
        text = _inserted(path, _without_servers(path, text, [env]), {"name": env.channel, **server_entry(env)})
    return text


def _without_servers(path: Path, text: str, environments: Sequence[Environment]) -> str:
    entries = _servers(path, text) if text.strip() else []
    ours = [at for at, entry in enumerate(entries) if any(is_our_command(_words(entry), env) for env in environments)]
    for at in reversed(ours):
        text = _removed(path, text, at)
    return text


def _inserted(path: Path, text: str, entry: JSON) -> str:
    import yaml

    after = _content(path, text)
    after[KEY] = [entry, *_servers(path, text)]
    head = re.search(rf"^{KEY}:[ \t]*(#.*)?\n", text, re.MULTILINE)
    if head is None and KEY in _content(path, text):
        raise _by_hand(path)
    if head is None:
        return _checked(path, text.rstrip("\n") + "\n" + yaml.safe_dump({KEY: [entry]}, sort_keys=False), after)
    first = _ITEM.match(text, head.end())
    indent = first[1] if first else "  "
    lines = yaml.safe_dump([entry], sort_keys=False).splitlines(keepends=True)
    return _checked(path, text[: head.end()] + "".join(indent + line for line in lines) + text[head.end() :], after)


def _removed(path: Path, text: str, at: int) -> str:
    after = _content(path, text)
    del after[KEY][at]
    head = re.search(rf"^{KEY}:[ \t]*(#.*)?\n", text, re.MULTILINE)
    first = _ITEM.match(text, head.end()) if head else None
    if head is None or first is None:
        raise _by_hand(path)
    if not after[KEY]:
        del after[KEY]
    items = [found.start() for found in re.finditer(rf"^{first[1]}- ", text[head.end() :], re.MULTILINE)]
    starts = [head.end() + start for start in items]
    inside = re.compile(rf"(?:[ \t]*\n)*{first[1]} .*(?:\n|\Z)")
    end = text.index("\n", starts[at]) + 1 if "\n" in text[starts[at] :] else len(text)
    while line := inside.match(text, end):
        end = line.end()
    start = starts[at] if KEY in after else head.start()
    return _checked(path, text[:start] + text[end:], after)


def _checked(path: Path, text: str, after: JSON) -> str:
    """Return the text if it means what it has to; a list that is written in another way is left to its owner."""
    import yaml

    try:
        if yaml.safe_load(text) == after:
            return text
    except yaml.YAMLError:
        pass
    raise _by_hand(path)


def _by_hand(path: Path) -> ConfigError:
    return ConfigError(
        sentence(
            "{path}: {key} is written in a way that is not changed here; enter the server by hand", path=path, key=KEY
        )
    )


def _content(path: Path, text: str) -> JSON:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(sentence("{path} is not YAML: {error}; fix it first", path=path, error=error)) from error
    if not isinstance(found, dict):
        raise ConfigError(sentence("{path} is not a YAML mapping; fix it first", path=path))
    return found


def _servers(path: Path, text: str) -> list[Any]:
    found = _content(path, text).get(KEY) or []
    if not isinstance(found, list):
        raise ConfigError(sentence("{key} in {path} is not a list; fix it first", key=KEY, path=path))
    return found


def _words(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return [""]
    args = entry.get("args")
    return [str(entry.get("command") or ""), *(str(word) for word in (args if isinstance(args, list) else []))]


HOST = AgentHost(
    name="continue",
    title="Continue CLI",
    program="cn",
    limits=HostLimits(call_s=60, result_max=1_000_000),
    files=_files,
)
