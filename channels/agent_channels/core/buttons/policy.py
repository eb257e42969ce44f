"""Which rule of the policy decides about what a host asks, and how.

A rule that allows is read narrowly and one that denies or asks widely: what a shell would run besides is never allowed
with it, and is denied with it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from agent_channels.core.settings.policy import PolicyRule

__all__ = ["HostRequest", "decide", "strictest"]

# What begins another command in a shell; and what runs, reads or writes something besides, whatever it is.
_NEXT = re.compile(r"&&|\|\||[;|&\n]")
_BESIDES = re.compile(r"[;|&<>`\n\r\\]|\$[({]|\$\w|\bxargs\b")
_WORDS = re.compile(r"[\s'\"=:,]+")
_PATHS = ("file_path", "path", "notebook_path")
_OTHERS = ("url", "pattern", "query")


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What a host wants allowed: a tool with its input, in a project, while the agent works for some chats.

    `tool_input` is an object, or a text if the host cut it. `state_dir`: where nothing is allowed by a rule.
    """

    tool: str
    tool_input: object
    project: Path
    chats: Collection[str] = ()
    state_dir: Path | None = None

    def subject(self) -> str:
        """Return what the tool works on, as rules compare it: a path is the real one, relative inside the project."""
        values = self.tool_input if isinstance(self.tool_input, dict) else {}
        if isinstance(command := values.get("command"), str):
            return command.strip()
        for name in _PATHS:
            if isinstance(path := values.get(name), str):
                return self._real(path)
        for name in _OTHERS:
            if isinstance(found := values.get(name), str):
                return found
        return self.tool_input if isinstance(self.tool_input, str) else json.dumps(self.tool_input, ensure_ascii=False)

    def _real(self, path: str) -> str:
        root = os.path.realpath(self.project)
        try:
            real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - a zero byte raises ValueError below
        except ValueError:
            return path
        return os.path.relpath(real, root) if Path(real).is_relative_to(root) else real

    def is_simple(self) -> bool:
        """Return whether nothing but the subject is done: what is cut, or a shell would run more, is not."""
        if not isinstance(self.tool_input, dict):
            return False
        if self.state_dir is not None and self._touches(self.state_dir):
            return False
        command = self.tool_input.get("command")
        return not isinstance(command, str) or _BESIDES.search(command.strip()) is None

    def _touches(self, folder: Path) -> bool:
        """Return whether the state folder, and with it the policy itself, may be changed by it."""
        text = json.dumps(self.tool_input, ensure_ascii=False)
        root, state = Path(os.path.realpath(self.project)), Path(os.path.realpath(folder))
        if "config.yaml" in text or str(state) in text:
            return True
        for word in _WORDS.split(self.subject()):
            try:
                path = Path(os.path.realpath(root / word))
            except (OSError, ValueError):
                return True
            # The folder, what lies in it, or a folder of the project in which it lies.
            if path.is_relative_to(state) or (
                state.is_relative_to(path) and path.is_relative_to(root) and path != root
            ):
                return True
        return False

    def parts(self) -> Iterator[str]:
        """Yield the subject, and each command that a shell would run."""
        subject = self.subject()
        yield subject
        if isinstance(self.tool_input, dict) and isinstance(self.tool_input.get("command"), str):
            yield from (part.strip() for part in _NEXT.split(subject))


def decide(rules: Sequence[PolicyRule], asked: HostRequest) -> PolicyRule | None:
    """Return the first rule that matches; None if none does, and the approvers are asked as without a policy."""
    return next((rule for rule in rules if _matches(rule, asked)), None)


def strictest(rules: Sequence[PolicyRule]) -> PolicyRule | None:
    """Return the strictest of the rules that several channels' policies decide by; None if there is none."""
    strictness = {"deny": 2, "ask": 1, "allow": 0}
    return max(rules, key=lambda rule: (strictness[rule.then], rule.approvers), default=None)


def _matches(rule: PolicyRule, asked: HostRequest) -> bool:
    if not fnmatchcase(asked.tool, rule.tool) or (rule.chat and rule.chat not in asked.chats):
        return False
    if rule.project and not any(fnmatchcase(name, rule.project) for name in (asked.project.name, str(asked.project))):
        return False
    if rule.then == "allow":
        return asked.is_simple() and fnmatchcase(asked.subject(), rule.match)
    return any(fnmatchcase(part, rule.match) for part in asked.parts())
