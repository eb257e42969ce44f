"""The settings that the host's hooks obey, declared without pydantic: a hook starts at every turn and must be quick.

`Settings` (config.py) takes these fields from here, so a hook and the server accept the same values and refuse the
others in the same words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.messages import LANGUAGES
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.policy import PolicyRule, parse_policy, unreadable_policy
from agent_channels.core.settings.state_folder import read_state_file
from agent_channels.core.settings.validation import invalid_value

__all__ = ["HookSettings", "load_hook_settings"]


def _declare(default: Any, parse: Callable[[object], Any], description: str) -> Any:
    """Return a field; `parse` returns the value to use, or raises ValueError saying what would be right."""
    return field(default=default, metadata={"parse": parse, "description": description})


def _number(minimum: float, maximum: float = math.inf, *, whole: bool = False) -> Callable[[object], float]:
    allowed = f"of at least {minimum:g}" if maximum == math.inf else f"from {minimum:g} to {maximum:g}"

    def parse(value: object) -> float:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not minimum <= number <= maximum or (whole and not number.is_integer()):
            raise ValueError(f"it must be a {'whole ' if whole else ''}number {allowed}")
        return int(number) if whole else number

    return parse


def _language(value: object) -> str:
    if not isinstance(value, str) or value not in LANGUAGES:
        raise ValueError(f"it must be {' or '.join(LANGUAGES)}")
    return value


@dataclass(frozen=True, slots=True)
class HookSettings:
    """What a hook reads from config.yaml. Durations are in seconds."""

    language: str = _declare("en", _language, f"language in which people are told things: {' or '.join(LANGUAGES)}")
    escalate_after_s: float = _declare(15, _number(1), "seconds without an answer after which the next mode is tried")
    hook_bound_s: float = _declare(300, _number(1, 3600), "longest time a permission or question hook waits")
    stop_wait_s: float = _declare(0, _number(0, 3600), "seconds the Stop hook waits for the next message")
    policy: tuple[PolicyRule, ...] = _declare((), parse_policy, "rules for permissions: allow, deny or ask, in order")
    stop_cap: int = _declare(8, _number(0, 100, whole=True), "most turns in a row that the Stop hook lets go on")


def load_hook_settings(path: Path) -> tuple[HookSettings, list[str]]:
    """Read config.yaml for a hook; return its settings, and a sentence for each value that the server would refuse.

    Such a value counts as unset, except for rules: these might deny, so nothing is allowed then. Never raises. Names
    that no hook obeys are left to the server, which knows them all.
    """
    declared = {setting.name: setting.metadata["parse"] for setting in fields(HookSettings)}
    text = None
    try:
        text = read_state_file(path)
        # Most files set nothing that concerns a hook; for these YAML is not even imported.
        values = parse_config(text, path) if any(name in text for name in declared) else {}
    except ConfigError as error:
        may_deny = text is None or "policy" in text
        return HookSettings(policy=unreadable_policy(path) if may_deny else ()), [str(error)]
    valid, problems = {}, []
    for name in declared.keys() & values.keys():
        try:
            valid[name] = declared[name](values[name])
        except ValueError as error:
            problem = f"{path}: {invalid_value('setting', name, values[name], str(error))}"
            if name == "policy":
                valid[name] = unreadable_policy(path)
                problems.append(f"{problem}; no rule allows anything until then")
            else:
                problems.append(f"{problem}; the default holds")
    return HookSettings(**valid), problems
