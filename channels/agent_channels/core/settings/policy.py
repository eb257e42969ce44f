"""The setting `policy`: ordered rules for what the host asks to be allowed, and what is wrong with them."""

from __future__ import annotations

import math
import re
from dataclasses import field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.nearest import nearest

__all__ = ["LinedList", "PolicyRule", "fits", "parse_policy", "policy_problems", "unreadable_policy"]

Verdict = Literal["allow", "deny", "ask"]
_KEYS = ("tool", "match", "chat", "project", "then", "approvers", "ttl_s")
_VERDICTS = ("allow", "deny", "ask")
_LITERAL = lazy_pattern(r"[\[?]")
# The tools that work on a file or folder, and those that work on an address, as most hosts call them, and others.
_OF_PATHS = frozenset({"Read", "Write", "Edit", "MultiEdit", "NotebookEdit", "NotebookRead", "LS"})
_OF_ADDRESSES = frozenset({"WebFetch"})
_KNOWN_TOOLS = _OF_PATHS | _OF_ADDRESSES | {"Bash", "Grep", "Glob", "WebSearch", "Task", "Skill", "TodoWrite"}
# How no path is written once it is known where it leads.
_NOT_REAL = lazy_pattern(r"(?:^|/)\./|//|^~/|[^./]/\.\.(?:/|$)")
APPROVERS_MAX, TTL_MIN_S, TTL_MAX_S = 10, 10.0, 86_400.0


class LinedList(list[Any]):
    """A list from a file, with the line that each of its values begins in."""

    lines: tuple[int, ...] = ()


@frozen
class PolicyRule:
    """One rule. `tool`, `match` and `project` are patterns in which `*` stands for anything; empty: any.

    `match` is compared with what the tool works on: a command, a path, an address. `chat` is the id of a chat that the
    running turn works for. `number` counts from 1, and `approvers` and `ttl_s` say how many people have to allow it,
    and for how long they are asked; 0 seconds: as long as the host waits.
    """

    number: int
    tool: str
    then: Verdict
    match: str = "*"
    chat: str = ""
    project: str = ""
    approvers: int = 1
    ttl_s: float = 0.0
    unreadable: str = ""
    """The file or folder whose rules nobody can read; this one stands for them."""
    line: int = field(default=0, compare=False)
    """Where in its file it begins; 0: not known."""

    def describe(self) -> str:
        """Return the rule in a few words, for cards and records."""
        if self.unreadable:
            return f"rules that cannot be read ({self.unreadable}: until that is fixed, no rule allows anything)"
        what = self.tool if self.match == "*" else f"{self.tool} {self.match}"
        where = "".join(
            f", {name} {value}" for name, value in (("chat", self.chat), ("project", self.project)) if value
        )
        many = f" {self.approvers} approvers" if self.approvers > 1 else ""
        return f"rule {self.number} ({what}{where}: {self.then}{many})"


def unreadable_policy(path: Path) -> tuple[PolicyRule, ...]:
    """Return what holds instead of rules that cannot be read: people are asked, whatever another policy allows."""
    return (PolicyRule(0, "*", "ask", unreadable=str(path)),)


def fits(text: str, pattern: str) -> bool:
    """Return whether a pattern of a rule stands for a text: `*` is anything, and every other sign itself.

    Commands, addresses and paths are full of `?` and brackets, so these are no wild cards.
    """
    return fnmatchcase(text, _escaped(pattern))


@lru_cache
def _escaped(pattern: str) -> str:
    return _LITERAL.sub(r"[\g<0>]", pattern)


def parse_policy(value: object) -> tuple[PolicyRule, ...]:
    """Return the rules of the setting. Raises ValueError, naming the line and what would be right."""
    if not isinstance(value, list | tuple):
        # Pydantic takes no other error.
        raise ValueError("it must be a list of rules, such as - {tool: Bash, then: ask}")  # noqa: TRY004
    lines = value.lines if isinstance(value, LinedList) else ()
    rules = []
    for number, given in enumerate(value, 1):
        if isinstance(given, PolicyRule):
            rules.append(given)
            continue
        line = lines[number - 1] if number <= len(lines) else 0
        try:
            rules.append(_parse_rule(number, given, line))
        except ValueError as error:
            place = f"line {line}: " if line else ""
            raise ValueError(f"{place}rule {number}: {error}") from None
    return tuple(rules)


def _parse_rule(number: int, given: object, line: int) -> PolicyRule:
    if not isinstance(given, dict):
        raise ValueError(f"it is {given!r}, not names with values, such as {{tool: Bash, then: ask}}")  # noqa: TRY004
    for key in given:
        if key not in _KEYS:
            near = nearest(str(key), _KEYS)
            raise ValueError(
                f"it has no {key!r}" + (f"; did you mean {near!r}?" if near else f"; it has {', '.join(_KEYS)}")
            )
    then = given.get("then")
    if then not in _VERDICTS:
        raise ValueError(f"then is {then!r}; it must be allow, deny or ask")
    if then != "ask" and (extra := [key for key in ("approvers", "ttl_s") if key in given]):
        raise ValueError(f"{extra[0]} is for then: ask, and it has then: {then}")
    tool, match, chat = _text(given, "tool", required=True), _text(given, "match") or "*", _text(given, "chat")
    if tool in _OF_PATHS and (_NOT_REAL.search(match) or (then == "allow" and match.startswith("../"))):
        raise ValueError(
            f"match is {match!r}, but {tool} is compared with the path that is really meant, without ./, ../, // and "
            "~: relative inside the project, such as src/*, and whole outside of it"
        )
    if re.fullmatch(r"[+-]?\d+", chat) and chat != str(int(chat)):
        raise ValueError(f"chat is {chat!r}, and no id is written so; write {str(int(chat))!r} if that is meant")
    return PolicyRule(
        number,
        tool,
        then,
        match,
        chat,
        _text(given, "project"),
        int(_number(given, "approvers", 1, 1, APPROVERS_MAX, whole=True)),
        _number(given, "ttl_s", 0.0, TTL_MIN_S, TTL_MAX_S),
        line=line,
    )


def _text(given: dict[Any, Any], key: str, *, required: bool = False) -> str:
    value = given.get(key)
    if key == "chat" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None and not required and key not in given:
        return ""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is {value!r}; it must be a text that is not empty")
    return value


def _number(
    given: dict[Any, Any], key: str, default: float, least: float, most: float, *, whole: bool = False
) -> float:
    value = given.get(key, default)
    if key not in given:
        return default
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not least <= value <= most or (whole and value != int(value)):
        raise ValueError(
            f"{key} is {value!r}; it must be a {'whole ' if whole else ''}number from {least:g} to {most:g}"
        )
    return float(value)


def policy_problems(rules: tuple[PolicyRule, ...], approvers: int) -> list[str]:
    """Return a sentence for each rule that allows too much, never matches, or cannot be fulfilled by the approvers."""
    return [
        sentence("line {line}: {problem}", line=rule.line, problem=problem) if rule.line else problem
        for index, rule in enumerate(rules)
        for problem in _problems(rule, rules[:index], approvers)
    ]


def _problems(rule: PolicyRule, before: tuple[PolicyRule, ...], approvers: int) -> list[str]:
    problems: list[str] = []
    if rule.then == "allow" and (not _has_text(rule.tool) or not _has_text(rule.match)):
        problems.append(sentence("{rule} allows too much: name a tool and what it may do", rule=rule.describe()))
    if (earlier := next((one for one in before if _covers_rule(one, rule)), None)) is not None:
        problems.append(
            sentence(
                "{rule} never matches, because {earlier} comes before it",
                rule=rule.describe(),
                earlier=earlier.describe(),
            )
        )
    if rule.then == "ask" and rule.approvers > approvers:
        problems.append(
            sentence(
                "{rule} cannot be allowed: it takes {needed} approvers, and there are {count}",
                rule=rule.describe(),
                needed=rule.approvers,
                count=approvers,
            )
        )
    if (why := _why_never(rule)) is not None:
        problems.append(sentence("{rule} never matches: {why}", rule=rule.describe(), why=why))
    return problems


def _why_never(rule: PolicyRule) -> str | None:
    """Return why a rule matches nothing that a host asks, if that is known."""
    tool, begins = rule.tool, rule.match.partition("*")[0]
    right = next((known for known in _KNOWN_TOOLS if known.lower() == tool.lower()), tool)
    if right != tool:
        return sentence("hosts call this tool {tool}", tool=right)
    if tool.startswith("mcp__") and "*" not in tool and "__" not in tool.removeprefix("mcp__"):
        return sentence("a server's tool is called {tool}__TOOL, and all of them {tool}__*", tool=tool)
    addresses = ("http://", "https://")
    if tool in _OF_ADDRESSES and not any(begins.startswith(one) or one.startswith(begins) for one in addresses):
        return sentence("{tool} works on an address, which begins with https://", tool=tool)
    return None


def _has_text(pattern: str) -> bool:
    return any(letter != "*" for letter in pattern)


def _covers_rule(one: PolicyRule, other: PolicyRule) -> bool:
    """Return whether a rule matches everything that another one does."""
    return (
        _covers(one.tool, other.tool)
        and _covers(one.match, other.match)
        and one.chat in {"", other.chat}
        and (not one.project or _covers(one.project, other.project or "*"))
    )


def _covers(one: str, other: str) -> bool:
    """Return whether a pattern surely matches all that another matches; patterns that are hard to compare do not."""
    if one in {"*", other}:
        return True
    prefix = one.removesuffix("*")
    return one.endswith("*") and "*" not in prefix and other.startswith(prefix)
