"""The settings that the host's hooks obey, apart from all others: a hook starts at every turn and must be quick.

`Settings` (config.py) takes them from here, so a hook and the server accept the same values and refuse the others in
the same words.
"""

from __future__ import annotations

from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.messages import LANGUAGES
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.declared import Declared, Number, OneOf, declare
from agent_channels.core.settings.policy import PolicyRule, parse_policy, unreadable_policy
from agent_channels.core.settings.state_folder import read_state_file
from agent_channels.core.settings.validation import invalid_value

__all__ = ["HookSettings", "load_hook_settings"]

_LANGUAGES = " or ".join(LANGUAGES)


class HookSettings(Declared):
    """What a hook reads from config.yaml. Durations are in seconds."""

    language: str = declare("en", OneOf(*LANGUAGES), f"language in which people are told things: {_LANGUAGES}")
    escalate_after_s: float = declare(15, Number(1), "seconds without an answer after which the next mode is tried")
    hook_bound_s: float = declare(300, Number(1, 3600), "longest time a permission or question hook waits")
    stop_wait_s: float = declare(0, Number(0, 3600), "seconds the Stop hook waits for the next message")
    policy: tuple[PolicyRule, ...] = declare((), parse_policy, "rules for permissions: allow, deny or ask, in order")
    stop_cap: int = declare(8, Number(0, 100, whole=True), "most turns in a row that the Stop hook lets go on")


def load_hook_settings(path: Path) -> tuple[HookSettings, list[str]]:
    """Read config.yaml for a hook; return its settings, and a sentence for each value that the server would refuse.

    Such a value counts as unset, except for rules: these might deny, so nothing is allowed then. Never raises. Names
    that no hook obeys are left to the server, which knows them all.
    """
    declared = HookSettings.declared()
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
            valid[name] = declared[name].parse(values[name])
        except ValueError as error:
            problem = f"{path}: {invalid_value('setting', name, values[name], str(error))}"
            if name == "policy":
                valid[name] = unreadable_policy(path)
                problems.append(f"{problem}; no rule allows anything until then")
            else:
                problems.append(f"{problem}; the default holds")
    return HookSettings(**valid), problems
