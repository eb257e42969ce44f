"""config.yaml: settings that a person edits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.policy import LinedList
from agent_channels.core.settings.validation import shorten_value

__all__ = ["parse_config"]

# Brackets one in another. No setting has more than two.
_DEEPEST = 20


def _place(error: Any) -> str:
    """Return what is wrong where, without the library's drawing of it."""
    mark = error.problem_mark or error.context_mark
    reason = " ".join(", ".join(filter(None, [error.context, error.problem])).split())
    if not mark:
        return reason
    return sentence("line {line}, column {column}: {reason}", line=mark.line + 1, column=mark.column + 1, reason=reason)


def parse_config(text: str, path: Path) -> dict[str, Any]:
    """Return the settings in the text of `path`, not validated. Raises `ConfigError` if it is not a YAML mapping."""
    import yaml

    try:
        depth = 0
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                # A few of them, one in another, stand for more values than any memory holds.
                raise ConfigError(
                    sentence("{path} cannot be read: a value stands for another one (*name); write it out", path=path)
                )
            if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                depth += 1
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
                depth -= 1
            if depth > _DEEPEST:
                # What they cost to read grows with the square of their number: 5,000 take six seconds.
                raise ConfigError(
                    sentence(
                        "{path} cannot be read: more than {most} brackets are open at once; close them",
                        path=path,
                        most=_DEEPEST,
                    )
                )
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(
            sentence("{path} cannot be read: {place}; fix that line", path=path, place=_place(error))
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            sentence("{path} cannot be read: {error}", path=path, error=" ".join(str(error).split()))
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            sentence(
                "{path} must hold `name: value` lines, such as `language: en`; it holds {value}",
                path=path,
                value=shorten_value(values),
            )
        )
    return _with_lines(values, text, path)


def _with_lines(values: dict[Any, Any], text: str, path: Path) -> dict[str, Any]:
    """Return the settings in a text; its lists know the lines of their values."""
    import yaml

    lines: dict[str, tuple[int, ...]] = {}
    if any(isinstance(value, list) for value in values.values()):
        root = yaml.compose(text)
        _require_once(root, path)
        lines = _lines(root)
    return {
        str(key): _lined(value, lines[str(key)]) if isinstance(value, list) and str(key) in lines else value
        for key, value in values.items()
    }


def _require_once(root: Any, path: Path) -> None:
    """Raise `ConfigError` for a name that is there twice, of the settings or in a rule of the policy.

    YAML takes the last one without a word, and what the first one denies would be gone.
    """
    rules = [item for key, node in root.value if key.value == "policy" and node.id == "sequence" for item in node.value]
    for mapping in (root, *(rule for rule in rules if rule.id == "mapping")) if rules else ():
        for key, node in mapping.value:
            _require_plain(key, node, path)
        names = [key for key, _ in mapping.value if key.id == "scalar"]
        for key in names:
            if any(key.value == other.value for other in names[: names.index(key)]):
                raise ConfigError(
                    sentence(
                        "{path} cannot be read: line {line}: {key} is there a second time; keep one of them",
                        path=path,
                        line=key.start_mark.line + 1,
                        key=shorten_value(key.value),
                    )
                )


def _require_plain(key: Any, node: Any, path: Path) -> None:
    """Raise `ConfigError` for what YAML does not read as it looks: `<<`, and a chat 012, which is 10."""
    if key.tag == "tag:yaml.org,2002:merge":
        raise ConfigError(
            sentence(
                "{path} cannot be read: line {line}: << puts in what stands elsewhere; write it out",
                path=path,
                line=key.start_mark.line + 1,
            )
        )
    is_number = node.id == "scalar" and node.tag == "tag:yaml.org,2002:int"
    if key.value == "chat" and is_number and not re.fullmatch(r"-?[1-9]\d*", node.value):
        raise ConfigError(
            sentence(
                "{path} cannot be read: line {line}: chat is {value}, which YAML reads as another number; write the id "
                "as the platform has it",
                path=path,
                line=node.start_mark.line + 1,
                value=node.value,
            )
        )


def _lines(root: Any) -> dict[str, tuple[int, ...]]:
    """Return, for each list on top of a file, the line that each of its values begins in."""
    lists = ((key.value, node) for key, node in root.value if node.id == "sequence")
    return {str(key): tuple(item.start_mark.line + 1 for item in node.value) for key, node in lists}


def _lined(values: list[Any], lines: tuple[int, ...]) -> LinedList:
    found = LinedList(values)
    found.lines = lines
    return found
